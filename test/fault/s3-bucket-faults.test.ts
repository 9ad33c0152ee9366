// The bucket on an S3 server that fails: what is there is never taken for missing, and nothing hangs.

import { inspect } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { connectS3 } from '../../origin/bucket/s3-connection.ts'
import { createS3Bucket } from '../../origin/bucket/s3-bucket.ts'
import { systemClock, systemRandom } from '../../origin/compose/system-ports.ts'
import type { Key, KeyPrefix } from '../../shared/layout/keys.ts'
import type { Bucket, Wait } from '../../shared/ports/bucket.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import {
  answersForAProxy,
  answersNonsense,
  cuts,
  losesTheAnswer,
  refuses,
  type S3Fault,
  type S3Proxy,
  silent,
  stallsInTheBody,
  startS3Proxy,
} from '../support/bucket/s3-proxy.ts'
import { miniflareS3, type S3Server } from '../support/bucket/s3-servers.ts'
import { eventually } from '../support/stack.ts'

const wait = { signal: new AbortController().signal }
const key = 'some/key' as Key
const content = 'x'.repeat(200_000)

let server: S3Server
let proxy: S3Proxy
let bucket: Bucket

/** With time for some tries, or for none where a test waits until it is over. */
const open = (timeoutMs: number) => {
  const access = { ...proxy.access, prefix: `${systemRandom.uuid()}/` }
  return createS3Bucket(connectS3({ access, clock: systemClock, timeoutMs }))
}

beforeAll(async () => {
  server = await miniflareS3.start()
  proxy = await startS3Proxy(server.access)
})
afterAll(async () => {
  await proxy.stop()
  await server.stop()
})

beforeEach(async () => {
  bucket = open(60_000)
  await bucket.write(key, new TextEncoder().encode(content), wait)
})
afterEach(() => proxy.mend())

/** Each call of the port, and what it gives where all is well. */
const calls: Record<string, { run: (bucket: Bucket, wait: Wait) => Promise<unknown>; well: unknown }> = {
  head: { run: (bucket, wait) => bucket.head(key, wait), well: content.length },
  read: { run: async (bucket, wait) => (await bucket.read(key, 1_000_000, wait))?.byteLength, well: content.length },
  open: {
    run: async (bucket, wait) => new Response((await bucket.open(key, undefined, wait))?.body).text(),
    well: content,
  },
  list: {
    async run(bucket, wait) {
      const paths = []
      for await (const { path } of bucket.list('some/' as KeyPrefix, '', wait)) paths.push(path)
      return paths
    },
    well: [key],
  },
  write: { run: (bucket, wait) => bucket.write(key, new TextEncoder().encode('new'), wait), well: undefined },
  create: { run: (bucket, wait) => bucket.create(key, new TextEncoder().encode('new'), wait), well: false },
  remove: { run: (bucket, wait) => bucket.remove(key, wait), well: undefined },
}
const names = Object.keys(calls)
const run = (name: string, on = bucket, waiting: Wait = wait) => calls[name]?.run(on, waiting)

describe('fails with what an operator can go by, and is never taken for an answer:', () => {
  const faults: [string, S3Fault, RegExp][] = [
    ['403', refuses(403, 'AccessDenied'), /403.*check the key/],
    ['a bad signature', refuses(403, 'SignatureDoesNotMatch'), /403.*clock/],
    ['a proxy that says 404', refuses(404, 'RouteNotFound'), /404/],
    ['501', refuses(501, 'NotImplemented'), /501/],
    ['500 that stays', refuses(500, 'InternalError'), /500/],
    ['the answer of a proxy', answersForAProxy, /502/],
  ]
  describe.each(faults)('%s', (_, fault, message) => {
    // A HEAD of S3 says 404 for a missing key in no other way.
    test.each(names.filter((name) => !(name === 'head' && message.test('404'))))('%s', async (name) => {
      proxy.fail(/./, fault)
      const error: unknown = await run(name)?.catch((error: unknown) => error)
      expect(error).toBeInstanceOf(UpstreamError)
      expect(String(error)).toMatch(message)
    })
  })

  test.each(names)('no bucket: %s', async (name) => {
    proxy.fail(/./, refuses(404, 'NoSuchBucket'))
    await expect(run(name, open(60_000))).rejects.toThrow(/there is no bucket .*create it/)
  })

  test('a page of another network: list', async () => {
    proxy.fail(/./, answersNonsense)
    await expect(run('list')).rejects.toBeInstanceOf(UpstreamError)
  })
})

describe('is tried again until it succeeds:', () => {
  test.each([
    ['500', refuses(500, 'InternalError')],
    ['503 SlowDown', refuses(503, 'SlowDown')],
    ['429', refuses(429, 'TooManyRequests')],
    ['a request that took too long', refuses(408, 'RequestTimeout')],
    ['an answer that is lost', losesTheAnswer],
    ['the answer of a proxy', answersForAProxy],
  ])('%s', async (_, fault) => {
    for (const name of names) {
      proxy.fail(/./, fault, 2)
      expect(await run(name)).toEqual(calls[name]?.well)
      await bucket.write(key, new TextEncoder().encode(content), wait)
    }
  })

  test('more often than a server is broken, where it only has too much to do', async () => {
    proxy.fail(/^PUT/, refuses(429, 'TooManyRequests'), 6)
    await run('write')
    expect((await bucket.read(key, 10, wait))?.byteLength).toBe(3)
  })

  test.each(['write', 'create'])('what versitygw says while it takes an emptied folder away: %s', async (name) => {
    proxy.fail(/^PUT/, refuses(409, 'ExistingObjectIsDirectory'), 2)
    expect(await run(name)).toEqual(calls[name]?.well)
  })

  test.each(['read', 'list'])('a body that is cut: %s', async (name) => {
    proxy.fail(/^GET/, cuts, 2)
    expect(await run(name)).toEqual(calls[name]?.well)
  })
})

describe('a stream', () => {
  test('ends in an error where the answer is cut', async () => {
    proxy.fail(/^GET/, cuts)
    await expect(run('open')).rejects.toBeInstanceOf(UpstreamError)
  })

  test('ends in an error where the answer stands still', async () => {
    const hasty = open(300)
    await hasty.write(key, new TextEncoder().encode(content), wait)
    proxy.fail(/^GET/, stallsInTheBody)
    await expect(run('open', hasty)).rejects.toThrow(/no bytes within 300 ms/)
  })

  test('of a slow reader does not', async () => {
    const hasty = open(300)
    await hasty.write(key, new TextEncoder().encode(content), wait)
    const reader = (await hasty.open(key, undefined, wait))?.body.getReader()
    let length = (await reader?.read())?.value?.byteLength ?? 0
    const begun = Date.now()
    await eventually('more time has gone by than a server has', () => Date.now() > begun + 400)
    for (let part = await reader?.read(); !part?.done; part = await reader?.read())
      length += part?.value.byteLength ?? 0
    expect(length).toBe(content.length)
  })
})

describe('where no answer comes', () => {
  test.each(names)('%s fails in time', async (name) => {
    const hasty = open(300)
    proxy.fail(/./, silent)
    await expect(run(name, hasty)).rejects.toThrow(/within \d+ ms/)
  })

  test.each(names)('%s ends with the reason of its signal', async (name) => {
    proxy.fail(/./, silent)
    const controller = new AbortController()
    const before = proxy.calls.length
    const running = run(name, bucket, { signal: controller.signal })
    running?.catch(() => {})
    await eventually('the request is there', () => proxy.calls.length > before)
    controller.abort(new Error('the client left'))
    await expect(running).rejects.toThrow('the client left')
  })

  test('nothing is tried any more once nobody waits', async () => {
    proxy.fail(/./, refuses(429, 'TooManyRequests'))
    const controller = new AbortController()
    const before = proxy.calls.length
    const running = run('head', bucket, { signal: controller.signal })
    running?.catch(() => {})
    await eventually('it was tried', () => proxy.calls.length > before)
    controller.abort(new Error('the client left'))
    await expect(running).rejects.toThrow('the client left')
    const tried = proxy.calls.length
    proxy.mend()
    await run('head')
    expect(proxy.calls.length).toBe(tried + 1)
  })

  test('because there is no server, it fails', async () => {
    const access = { ...proxy.access, endpoint: 'http://127.0.0.1:1' }
    const nowhere = createS3Bucket(connectS3({ access, clock: systemClock, timeoutMs: 60_000 }))
    await expect(run('head', nowhere)).rejects.toThrow(/ECONNREFUSED/)
  })
})

test.each(names)('no error holds credentials, whatever the server sends: %s', async (name) => {
  const { accessKeyId, secretAccessKey } = proxy.access
  proxy.fail(/./, refuses(403, 'InvalidAccessKeyId', `${accessKeyId} and ${secretAccessKey} are unknown`))
  const error = await run(name)?.catch((error: unknown) => error)
  const all = inspect(error, { depth: 20, showHidden: true })
  expect(all).toContain('403')
  for (const secret of [accessKeyId, secretAccessKey]) expect(all).not.toContain(secret)
})
