// What is blocked while it is pushed, or was asked for before: with a bucket that blocks at a moment of the test's choice,
// and a clock of the test's own.

import { describe, expect, test } from 'vitest'
import { embeddedStore } from '../../origin/ipfs/embedded-store.ts'
import { createViewFinder } from '../../shared/edge/view-finder.ts'
import type { Bucket, Wait } from '../../shared/ports/bucket.ts'
import { parseCid } from '../../shared/ipfs/cid.ts'
import { type Digest, parseDigest } from '../../shared/protocol/digest.ts'
import { blockContent } from '../../shared/registry/block-content.ts'
import { createPublishedBlocks } from '../../shared/registry/published-blocks.ts'
import { originApp } from '../support/apps.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { sha256 } from '../support/image.ts'
import { manifestText, ociManifestType } from '../support/http-client.ts'
import { createMemoryBucket, type Objects } from '../support/bucket/memory-bucket.ts'
import { createMemoryUploads } from '../support/bucket/memory-uploads.ts'

const wait: Wait = { signal: new AbortController().signal }
const [config, layer] = ['{}', 'a layer']
const manifest = manifestText(config, [layer])
const asDigest = (content: string): Digest => parseDigest(sha256(content)) ?? fail('no digest')

function fail(message: string): never {
  throw new Error(message)
}

/** A registry in memory, where `beforeWrite` is called with each key. */
function registry(beforeWrite: (key: string, bucket: Bucket) => Promise<void> = async () => {}) {
  const objects: Objects = new Map()
  const inner = createMemoryBucket(objects)
  const bucket: Bucket = {
    ...inner,
    async write(key, bytes, wait) {
      await beforeWrite(key, inner)
      await inner.write(key, bytes, wait)
    },
  }
  const app = originApp({ bucket, uploads: createMemoryUploads(objects) })
  const ask = (method: string, path: string, body?: string) =>
    app.request(`http://origin.test/v2/${path}`, {
      method,
      ...(body === undefined ? {} : { body, headers: { 'Content-Type': ociManifestType } }),
    })
  return {
    objects,
    bucket: inner,
    ask,
    push: async () => {
      const answers = []
      for (const blob of [config, layer])
        answers.push(await ask('POST', `a/blobs/uploads/?digest=${sha256(blob)}`, blob))
      answers.push(await ask('PUT', 'a/manifests/v1', manifest))
      return answers.map(({ status }) => status)
    },
  }
}

const block = (bucket: Bucket, digest: Digest) =>
  blockContent(
    { bucket, store: embeddedStore, clock: createFakeClock(), onProgress() {} },
    { kind: 'digest', digest },
    undefined,
    wait,
  )

describe('what is blocked while it is pushed is taken back, whatever was written by then:', () => {
  test('a manifest, before each object of its push', async () => {
    const keys: string[] = []
    await registry(async (key) => void keys.push(key)).push()
    const own = keys.slice(keys.findIndex((key) => key.includes(asDigest(manifest).slice(7)) && key.endsWith('data')))
    expect(own.length).toBeGreaterThan(5)
    for (const at of own) {
      const { objects, ask, push } = registry(async (key, bucket) => {
        if (key === at) await block(bucket, asDigest(manifest))
      })
      expect([at, await push()]).toEqual([at, [201, 201, 403]])
      expect((await ask('GET', 'a/manifests/v1')).status).toBe(404)
      expect((await ask('GET', `a/manifests/${sha256(manifest)}`)).status).toBe(404)
      expect((await ask('GET', `${sha256(manifest).slice(7)}/manifests/latest`)).status).toBe(404)
      expect([...objects.keys()].filter((key) => /_manifests|mirrorball\/views/.test(key))).toEqual([])
    }
  })

  test('a blob, before its link', async () => {
    const { objects, push } = registry(async (key, bucket) => {
      if (key.includes('_layers') && key.includes(sha256(layer).slice(7))) await block(bucket, asDigest(layer))
    })
    expect(await push()).toEqual([201, 403, 403])
    expect(
      [...objects.keys()].filter((key) => key.includes('_layers') && key.includes(sha256(layer).slice(7))),
    ).toEqual([])
  })

  test('a blob of a manifest, before its tag', async () => {
    const { ask, push } = registry(async (key, bucket) => {
      if (key.includes('tags/v1/current')) await block(bucket, asDigest(layer))
    })
    expect(await push()).toEqual([201, 201, 403])
    expect((await ask('GET', 'a/manifests/v1')).status).toBe(404)
  })
})

test('blocks that were handed out before are handed out no longer, after a minute at most', async () => {
  const { bucket, push, ask } = registry()
  await push()
  const clock = createFakeClock()
  const access = { anonymous: 'push', delete: true } as const
  const views = createViewFinder({ bucket, access, clock, keepFetchedMs: 1 })
  const blocks = createPublishedBlocks({ bucket, access, views })
  const path = (await ask('GET', 'a/manifests/v1')).headers.get('X-Ipfs-Path')
  const root = parseCid(path?.split('/').at(-1) ?? '') ?? fail('no root')
  expect(await blocks.get(root, wait)).toBeDefined()
  await block(bucket, asDigest(manifest))
  clock.advance(60_001)
  expect(await blocks.get(root, wait)).toBeUndefined()
})
