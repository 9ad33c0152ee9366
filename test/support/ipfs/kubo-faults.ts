// A Kubo that fails: content for it, and suites with a real one behind a proxy.

import { afterEach, beforeAll, beforeEach, expect } from 'vitest'
import { createKuboClient } from '../../../origin/ipfs/kubo/kubo-client.ts'
import { createKuboStore } from '../../../origin/ipfs/kubo/kubo-store.ts'
import { systemClock } from '../../../origin/compose/system-ports.ts'
import type { Wait } from '../../../shared/ports/bucket.ts'
import type { Clock } from '../../../shared/ports/clock.ts'
import type { ContentStore } from '../../../shared/ports/content-store.ts'
import type { Cid } from '../../../shared/protocol/cid.ts'
import { UpstreamError } from '../../../shared/protocol/errors.ts'
import { describeWith } from '../clients/programs.ts'
import { testFile, testImage } from './content.ts'
import { type FaultyProxy, startFaultyProxy } from './faulty-proxy.ts'
import { randomBytes } from '../image.ts'
import { type Kubo, startKubo } from './kubo.ts'

export const wait: Wait = { signal: new AbortController().signal }

export const mebibyte = 1024 * 1024

/** Longest time without a byte from Kubo. */
export const timeoutMs = 5000

/** One block. */
export const small = await testFile(randomBytes(1, 1000))

/** Three blocks, and a node above them. */
export const large = await testFile(randomBytes(2, 3 * mebibyte))

/** Of both. */
export const image = await testImage([small, large], ['beside them'])

export const storeAt = (url: string, clock: Clock = systemClock) =>
  createKuboStore({ kubo: createKuboClient({ url, timeoutMs, clock }), clock })

/** What is published. */
export async function rootsIn(store: ContentStore, until: Wait = wait): Promise<Cid[]> {
  const roots: Cid[] = []
  for await (const root of store.published(until)) roots.push(root)
  return roots
}

/** What ends it, which is to be a failure of IPFS and of nothing else. */
export async function failureOf(work: Promise<unknown>): Promise<UpstreamError> {
  const error = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (!(error instanceof UpstreamError)) throw new Error(`no UpstreamError but ${String(error)}`, { cause: error })
  expect(error.source).toBe('ipfs')
  return error
}

/** A Kubo, and a proxy before it that can fail. */
interface BehindProxy {
  readonly node: Kubo
  /** Of each test its own. */
  readonly proxy: FaultyProxy
}

/** A suite with a real Kubo, which forgets after each test what that published. */
export function describeBehindProxy(suite: (behind: BehindProxy) => void): void {
  describeWith(['ipfs'], 'with a real node behind a proxy', () => {
    let node: Kubo
    let proxy: FaultyProxy

    beforeAll(async () => {
      node = await startKubo()
      return () => node.stop()
    })

    beforeEach(async () => {
      proxy = await startFaultyProxy(node.url)
    })

    afterEach(async () => {
      await proxy.stop()
      await storeAt(node.url).unpublish(image.root, wait)
      await node.collectGarbage()
    })

    suite({
      get node() {
        return node
      },
      get proxy() {
        return proxy
      },
    })
  })
}
