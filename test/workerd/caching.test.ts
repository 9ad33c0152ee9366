// Cloudflare keeps what says nothing of caching: a 200 for two hours, a 404 for three minutes. So every answer of the worker
// says itself what may become of it, over all routes, methods and states.

import { afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import type { AccessRules } from '../../shared/auth/access.ts'
import type { routeMethods } from '../../shared/http/routes.ts'
import { ask, newIsolate, storeImage, type StoredImage } from './isolates.ts'
import { publishRules } from './published-rules.ts'

const absent = `sha256:${'0'.repeat(64)}`
const redirecting = {
  BUCKET_URL: 'https://account.r2.example/bucket',
  BUCKET_ACCESS_KEY_ID: 'id',
  BUCKET_SECRET_ACCESS_KEY: 'secret',
}
const fails = () => Promise.reject(new Error('get: We encountered an internal error. Please try again. (10001)'))

let image: StoredImage

beforeAll(async () => {
  image = await storeImage('caching/app', 'v1', 'caching')
})

/** An origin behind something that answers for it, and says nothing of caching. */
beforeEach(() => {
  // One that is not configured says so at every request.
  vi.spyOn(console, 'error').mockImplementation(() => {})
  vi.spyOn(globalThis, 'fetch').mockImplementation(async () => new Response('<html>', { status: 502 }))
})
afterEach(() => vi.restoreAllMocks())

/** Whom Cloudflare says that it is. */
const headers = { 'CF-Connecting-IP': '192.0.2.7' }

/** Paths of each route: to what is there, and to what is not. */
const pathsOf = (): Readonly<Record<keyof typeof routeMethods, readonly string[]>> => ({
  version: ['/v2/'],
  manifest: ['v1', image.digest, 'none', absent].map((reference) => `/v2/caching/app/manifests/${reference}`),
  blob: [image.layer, absent].map((digest) => `/v2/caching/app/blobs/${digest}`),
  uploads: ['/v2/caching/app/blobs/uploads/'],
  upload: ['/v2/caching/app/blobs/uploads/some-id'],
  tags: ['/v2/caching/app/tags/list', '/v2/caching/none/tags/list', '/v2/caching/app/tags/list?n=x'],
  referrers: [`/v2/caching/app/referrers/${image.digest}`],
  catalog: ['/v2/_catalog'],
  token: ['/token', '/token?account=somebody'],
})

const noRoutes = ['/', '/v2/BAD/tags/list', '/v2/caching/app/nothing', '/readyz', '/livez', '/metrics']
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']

const open = { anonymous: 'pull', delete: false } as const
const broken = { BUCKET: { get: fails, head: fails, list: fails } }

/** What an isolate is given, the rules, and all statuses that it then answers with. */
const states: readonly (readonly [string, object, AccessRules, readonly number[]])[] = [
  ['everyone may pull', {}, open, [200, 400, 403, 404, 405]],
  ['blobs are redirected', redirecting, open, [200, 307, 400, 403, 404, 405]],
  ['everyone may push and delete', {}, { anonymous: 'push', delete: true }, [200, 400, 404, 405, 502]],
  ['nobody may do anything', {}, { anonymous: 'none', delete: false }, [200, 400, 401, 404, 405, 502]],
  ['it is private', {}, { ...open, users: 'pull', private: ['caching/**'] }, [200, 400, 401, 404, 405, 502]],
  ['R2 is in error', broken, open, [200, 400, 403, 404, 405, 503]],
  ['a client asks too often', { REQUESTS_PER_MINUTE: '1' }, open, [200, 405, 429]],
  ['it is not configured', { ORIGIN_URL: 'none' }, open, [500]],
]

test.each(states)('where %s, every answer says what may be kept, and of refusals that is nothing', async (...state) => {
  const [, changes, rules, expected] = state
  await publishRules(rules)
  // Also into KV, for when R2 is in error.
  await ask(newIsolate(), '/v2/')
  const isolate = newIsolate(changes)
  const statuses = new Set<number>()
  for (const method of methods)
    for (const path of [...Object.values(pathsOf()).flat(), ...noRoutes]) {
      const { status, headers: answered } = await ask(isolate, path, { method, headers, redirect: 'manual' })
      const said = answered.get('Cache-Control')
      expect([method, path, status, said]).toEqual([
        method,
        path,
        status,
        expect.stringMatching(/^(?:no-store|private, )/),
      ])
      if (status >= 400) expect([method, path, status, said]).toEqual([method, path, status, 'no-store'])
      if (status === 307) expect([path, said]).toEqual([path, 'private, no-store'])
      statuses.add(status)
    }
  expect([...statuses].toSorted((a, b) => a - b)).toEqual(expected)
})
