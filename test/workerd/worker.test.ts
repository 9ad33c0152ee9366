// The deployed worker, with R2 and KV: what it serves, from which tier, and what it does when a part is gone.

import { env, exports } from 'cloudflare:workers'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { blobKey } from '../../shared/layout/keys.ts'
import { counted } from './counted.ts'
import { ask, base, newIsolate, storeImage } from './isolates.ts'
import { publishRules } from './published-rules.ts'

const get = (path: string, init: RequestInit = {}) => exports.default.fetch(`${base}${path}`, init)
const getFresh = (path: string, changes: object = {}) => ask(newIsolate(changes), path)
const tierOf = (response: Response) => response.headers.get('Server-Timing')?.split(';')[0]

beforeAll(() => publishRules())

describe('the worker', () => {
  test('serves a manifest from R2, then from memory, and in another isolate from KV', async () => {
    const { manifest, digest } = await storeImage('worker/tiers', 'v1', 'tiers')
    const first = await get('/v2/worker/tiers/manifests/v1')
    expect([await first.text(), tierOf(first)]).toEqual([manifest, 'bucket'])
    expect(first.headers.get('Content-Length')).toBe(String(manifest.length))
    const second = await get(`/v2/worker/tiers/manifests/${digest}`)
    expect([await second.text(), tierOf(second)]).toEqual([manifest, 'memory'])
    const elsewhere = await getFresh('/v2/worker/tiers/manifests/v1')
    expect([await elsewhere.text(), tierOf(elsewhere)]).toEqual([manifest, 'kv'])
  })

  test('reads the bucket once a hit, and KV besides only where memory lacks the digest', async () => {
    const { manifest, digest } = await storeImage('worker/counted', 'v1', 'counted')
    await getFresh('/v2/worker/counted/manifests/v1')
    const reads: string[] = []
    const isolate = newIsolate({
      BUCKET: counted(env.BUCKET, () => reads.push('bucket')),
      MANIFESTS: counted(env.MANIFESTS, (call) => call.startsWith('get') && reads.push('kv')),
    })
    // With its first request it takes the access rules, and keeps a copy.
    await ask(isolate, '/v2/')
    const readsOf = async (reference: string, method = 'GET') => {
      reads.length = 0
      const response = await ask(isolate, `/v2/worker/counted/manifests/${reference}`, { method })
      expect([response.status, await response.text()]).toEqual([200, method === 'HEAD' ? '' : manifest])
      return [...reads].sort()
    }
    // After the answer it looks whether KV has the tag.
    expect(await readsOf('v1')).toEqual(['bucket', 'kv', 'kv'])
    for (const [reference, method] of [['v1'], ['v1'], ['v1', 'HEAD'], [digest], [digest, 'HEAD']] as const)
      expect(await readsOf(reference, method)).toEqual(['bucket'])
  })

  test('sees a moved tag at the next pull, whatever its caches hold', async () => {
    const old = await storeImage('worker/moved', 'v1', 'old')
    expect((await get('/v2/worker/moved/manifests/v1')).headers.get('Docker-Content-Digest')).toBe(old.digest)
    const moved = await storeImage('worker/moved', 'v1', 'new')
    expect((await get('/v2/worker/moved/manifests/v1')).headers.get('Docker-Content-Digest')).toBe(moved.digest)
  })

  test('streams a blob from R2 where it has no URL to redirect to, whole and in ranges, with true lengths', async () => {
    const { layer } = await storeImage('worker/blobs', 'v1', '0123456789')
    const whole = await get(`/v2/worker/blobs/blobs/${layer}`)
    expect([whole.status, whole.headers.get('Content-Length'), await whole.text()]).toEqual([200, '10', '0123456789'])
    const part = await get(`/v2/worker/blobs/blobs/${layer}`, { headers: { Range: 'bytes=2-4' } })
    expect([part.status, part.headers.get('Content-Range'), await part.text()]).toEqual([206, 'bytes 2-4/10', '234'])
    expect((await get(`/v2/worker/blobs/blobs/${layer}`, { headers: { Range: 'bytes=10-' } })).status).toBe(416)
    const head = await get(`/v2/worker/blobs/blobs/${layer}`, { method: 'HEAD' })
    expect([head.status, head.headers.get('Content-Length')]).toEqual([200, '10'])
  })

  test('redirects to a presigned URL of R2 where it is configured', async () => {
    const { layer } = await storeImage('worker/redirect', 'v1', 'redirect')
    const keys = {
      BUCKET_URL: 'https://account.r2.example/bucket',
      BUCKET_ACCESS_KEY_ID: 'id',
      BUCKET_SECRET_ACCESS_KEY: 'secret',
    }
    const response = await getFresh(`/v2/worker/redirect/blobs/${layer}`, keys)
    expect(response.status).toBe(307)
    expect(response.headers.get('Location')).toMatch(
      new RegExp(`^https://account.r2.example/bucket/${blobKey(layer)}\\?.*X-Amz-Signature=`),
    )
    expect(response.headers.get('Location')).not.toContain('secret')
    expect(response.headers.get('Cache-Control')).toBe('private, no-store')
  })

  test('reads by its binding alone, whatever it has URLs for', async () => {
    const { layer, manifest } = await storeImage('worker/binding', 'v1', 'binding')
    const fetched = vi.spyOn(globalThis, 'fetch')
    const urls = {
      // Of loopback, where a client that came by another name is not sent.
      BUCKET_URL: 'http://127.0.0.1:9/bucket',
      BUCKET_PUBLIC_URL: 'http://127.0.0.1:9',
      BUCKET_ACCESS_KEY_ID: 'id',
      BUCKET_SECRET_ACCESS_KEY: 'secret',
    }
    expect(await (await getFresh('/v2/worker/binding/manifests/v1', urls)).text()).toBe(manifest)
    const blob = await getFresh(`/v2/worker/binding/blobs/${layer}`, urls)
    expect([blob.status, tierOf(blob), await blob.text()]).toEqual([200, 'bucket', 'binding'])
    expect((await getFresh('/v2/worker/binding/tags/list', urls)).status).toBe(200)
    expect(fetched).not.toHaveBeenCalled()
    fetched.mockRestore()
  })

  test('answers from KV with a warning while R2 is in error, and 503 for what KV does not know', async () => {
    const { manifest, digest } = await storeImage('worker/fault', 'v1', 'fault')
    await getFresh('/v2/worker/fault/manifests/v1')
    const broken = { get: fails, head: fails, list: fails }
    for (const reference of ['v1', digest]) {
      const known = await getFresh(`/v2/worker/fault/manifests/${reference}`, { BUCKET: broken })
      expect([known.status, await known.text()]).toEqual([200, manifest])
      expect(known.headers.get('Warning')).toContain('110')
    }
    const unknown = await getFresh('/v2/worker/fault/manifests/v2', { BUCKET: broken })
    expect([unknown.status, unknown.headers.get('Retry-After')]).toEqual([503, '5'])
    expect((await unknown.json<{ errors: { code: string }[] }>()).errors[0]?.code).toBe('UNAVAILABLE')
  })

  test('is ready where R2 answers and not where it fails, and live in any case', async () => {
    const ready = await get('/readyz')
    expect([ready.status, await ready.json()]).toEqual([
      200,
      { ready: true, checks: { bucket_read: 'ok', access_rules: 'ok' } },
    ])
    const broken = { BUCKET: { get: fails, head: fails, list: fails } }
    const response = await getFresh('/readyz', broken)
    expect([response.status, response.headers.get('Retry-After'), response.headers.get('Cache-Control')]).toEqual([
      503,
      '5',
      'no-store',
    ])
    expect((await getFresh('/livez', broken)).status).toBe(200)
    expect((await get('/livez', { method: 'POST' })).status).toBe(405)
  })

  test('goes on without KV while KV is in error', async () => {
    const { manifest } = await storeImage('worker/no-kv', 'v1', 'no kv')
    const broken = { get: fails, getWithMetadata: fails, put: fails }
    const response = await getFresh('/v2/worker/no-kv/manifests/v1', { MANIFESTS: broken })
    expect([response.status, await response.text(), tierOf(response)]).toEqual([200, manifest, 'bucket'])
  })

  test('refuses pushes where anonymous may only pull', async () => {
    const response = await getFresh('/v2/worker/push/blobs/uploads/')
    expect(response.status).toBe(405)
    const push = await exports.default.fetch(`${base}/v2/worker/push/blobs/uploads/`, { method: 'POST' })
    expect(push.status).toBe(403)
  })

  test('that is not configured says so in its log, and nothing of it to strangers', async () => {
    const response = await getFresh('/v2/', { ORIGIN_URL: 'not a url' })
    expect(response.status).toBe(500)
    expect(await response.text()).not.toContain('ORIGIN_URL')
  })
})

function fails(): Promise<never> {
  return Promise.reject(new Error('out of order'))
}
