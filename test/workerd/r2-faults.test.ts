// R2 that fails, refuses for too many requests, hangs, or breaks off: clients are told to come again, and never that there is
// nothing.

import { env } from 'cloudflare:workers'
import { beforeAll, describe, expect, test } from 'vitest'
import { ask, newIsolate, storeImage, type StoredImage } from './isolates.ts'
import { publishRules } from './published-rules.ts'

const ways = {
  'fails within': () => Promise.reject(new Error('get: We encountered an internal error. Please try again. (10001)')),
  'has too many requests': () =>
    Promise.reject(new Error('get: Reduce your concurrent request rate for the same object. (10058)')),
  hangs: () => new Promise<never>(() => {}),
} as const

const calls = ['get', 'head', 'list'] as const

let image: StoredImage

beforeAll(async () => {
  await publishRules()
  image = await storeImage('faults/app', 'v1', 'faults')
})

/** An isolate whose R2 does so at these calls. What it asks of the rules, KV has. */
async function isolateWith(way: keyof typeof ways, failing: readonly (typeof calls)[number][]): Promise<object> {
  await ask(newIsolate(), '/v2/')
  const failed = new Set<string | symbol>(failing)
  const BUCKET = new Proxy(env.BUCKET, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property)
      if (typeof value !== 'function') return value
      return failed.has(property) ? ways[way] : (value.bind(target) as unknown)
    },
  })
  return newIsolate({ BUCKET, MANIFESTS: onlyRules, BUCKET_TIMEOUT_MS: '100' })
}

/** KV that knows no manifest and no tag, or what it knows would be the answer. */
const onlyRules = {
  get: (key: string) => (key.startsWith('a/') ? env.MANIFESTS.get(key) : Promise.resolve(null)),
  getWithMetadata: () => Promise.resolve({ value: null, metadata: null }),
  put: () => Promise.resolve(),
}

const pathsToContent = () => [
  '/v2/faults/app/manifests/v1',
  `/v2/faults/app/manifests/${image.digest}`,
  `/v2/faults/app/blobs/${image.layer}`,
  '/v2/faults/app/tags/list',
  `/v2/faults/app/referrers/${image.digest}`,
  '/v2/_catalog',
]

const pathsToNothing = [
  '/v2/faults/app/manifests/none',
  `/v2/faults/app/manifests/sha256:${'0'.repeat(64)}`,
  `/v2/faults/app/blobs/sha256:${'0'.repeat(64)}`,
  '/v2/faults/none/tags/list',
]

describe.each(Object.keys(ways) as (keyof typeof ways)[])('R2 that %s', (way) => {
  test.each(['GET', 'HEAD'])(
    'is 503 to %s, with a time to come again, whether there is anything or not',
    async (method) => {
      const isolate = await isolateWith(way, calls)
      for (const path of [...pathsToContent(), ...pathsToNothing]) {
        const answer = await ask(isolate, path, { method })
        const said = [answer.headers.get('Retry-After'), answer.headers.get('Cache-Control')]
        expect([path, answer.status, ...said]).toEqual([path, 503, '5', 'no-store'])
      }
    },
  )

  test.each(calls)('at %s alone makes nothing that is there unknown', async (call) => {
    const isolate = await isolateWith(way, [call])
    for (const path of pathsToContent())
      for (const method of ['GET', 'HEAD']) {
        const { status } = await ask(isolate, path, { method })
        expect([path, method, [200, 503].includes(status)]).toEqual([path, method, true])
      }
  })
})

test('a body of R2 that breaks off is 503 where it is read before the answer', async () => {
  const BUCKET = new Proxy(env.BUCKET, {
    get(target, property) {
      if (property !== 'get') return (Reflect.get(target, property) as () => unknown).bind(target)
      return async (...asked: Parameters<R2Bucket['get']>) => {
        const object = await target.get(...asked)
        if (object === null || !asked[0].startsWith('docker/registry/v2/blobs/')) return object
        return { size: object.size, etag: object.etag, body: object.body, arrayBuffer: ways['fails within'] }
      }
    },
  })
  const isolate = newIsolate({ BUCKET, MANIFESTS: onlyRules })
  for (const path of [`manifests/v1`, `manifests/${image.digest}`, `blobs/${image.layer}`])
    expect([path, (await ask(isolate, `/v2/faults/app/${path}`)).status]).toEqual([path, 503])
})

test('a blob that is shorter by now than it was is a fault to who wants what is not there any more', async () => {
  const isolate = newIsolate()
  const { layer } = await storeImage('faults/short', 'v1', '0123456789')
  const path = `/v2/faults/short/blobs/${layer}`
  expect((await ask(isolate, path, { method: 'HEAD' })).headers.get('Content-Length')).toBe('10')
  const [object] = (await env.BUCKET.list({ prefix: `docker/registry/v2/blobs/sha256/${layer.slice(7, 9)}/` })).objects
  await env.BUCKET.put(object?.key ?? '', '0123')
  for (const range of ['bytes=2-8', 'bytes=3-', undefined])
    expect((await ask(isolate, path, range === undefined ? {} : { headers: { Range: range } })).status).toBe(503)
  expect(await (await ask(isolate, path, { headers: { Range: 'bytes=1-2' } })).text()).toBe('12')
})
