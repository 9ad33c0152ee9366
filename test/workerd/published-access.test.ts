// The access rules in workerd: from R2, from KV while R2 is in error, and none of this worker's own.

import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { beforeEach, expect, test } from 'vitest'
import { accessKey } from '../../shared/layout/keys.ts'
import worker from '../../worker/index.ts'
import { publishRules } from './published-rules.ts'

const broken = { BUCKET: { get: fails, head: fails, list: fails } }
const withoutKv = { MANIFESTS: undefined }

beforeEach(async () => {
  await env.BUCKET.delete(accessKey)
  for (const { name } of (await env.MANIFESTS.list()).keys) await env.MANIFESTS.delete(name)
})

function fails(): Promise<never> {
  return Promise.reject(new Error('out of order'))
}

/** An isolate that has nothing in memory. */
const newIsolate = (changes: object = {}) => ({ ...env, ...changes })

async function ask(isolate: object, path: string, method = 'GET'): Promise<Response> {
  const context = createExecutionContext()
  const response = await worker.fetch(new Request(`http://edge.example${path}`, { method }), isolate, context)
  await waitOnExecutionContext(context)
  return response
}

const statusOf = async (isolate: object, path = '/v2/team/app/manifests/v1') => (await ask(isolate, path)).status

/** Nothing was pushed, so whoever may pull is told that there is nothing. */
const [served, refused] = [404, 403]

test('a worker decides by the rules that are published, and by others once they are', async () => {
  await publishRules()
  expect(await statusOf(newIsolate())).toBe(served)
  await publishRules({ anonymous: 'pull', delete: false, private: ['team/**'] })
  expect(await statusOf(newIsolate())).toBe(refused)
})

test('it keeps a copy in KV, by which another isolate serves and refuses while R2 is in error', async () => {
  await publishRules({ anonymous: 'pull', delete: false, private: ['team/**'] })
  expect(await statusOf(newIsolate())).toBe(refused)
  const isolate = newIsolate(broken)
  expect(await statusOf(isolate)).toBe(refused)
  expect(await statusOf(isolate, '/v2/')).toBe(200)
  expect(await statusOf(newIsolate({ ...broken, ...withoutKv }))).toBe(503)
})

test('the copy is what was published last, and is written where it differs alone', async () => {
  const writes: string[] = []
  const kv = {
    get: env.MANIFESTS.get.bind(env.MANIFESTS),
    put(key: string, text: string) {
      writes.push(key)
      return env.MANIFESTS.put(key, text)
    },
  }
  for (const closed of [[], ['team/**']]) {
    await publishRules({ anonymous: 'pull', delete: false, private: closed })
    for (let at = 0; at < 3; at++) await ask(newIsolate({ MANIFESTS: kv }), '/v2/')
  }
  expect(writes).toEqual(['a/access', 'a/access'])
  expect(await statusOf(newIsolate(broken))).toBe(refused)
})

test('without any rules it answers 503, and is not ready', async () => {
  const isolate = newIsolate()
  for (const path of ['/v2/', '/token', '/v2/_catalog', '/v2/team/app/manifests/v1']) {
    const { status, headers } = await ask(isolate, path)
    expect([path, status, headers.get('Retry-After')]).toEqual([path, 503, '5'])
  }
  const ready = await ask(isolate, '/readyz')
  expect([ready.status, await ready.json()]).toEqual([
    503,
    { ready: false, checks: { bucket_read: 'ok', access_rules: 'failed' } },
  ])
  await publishRules()
  expect(await statusOf(isolate)).toBe(served)
})

test('rules that nobody made count only where it is said that no other machine reaches it', async () => {
  await publishRules({ anonymous: 'push', delete: true }, { loopback: true })
  expect(await statusOf(newIsolate())).toBe(503)
  expect(await statusOf(newIsolate({ ON_LOOPBACK: 'true' }))).toBe(served)
})

test('it may be read-only by itself', async () => {
  await publishRules({ anonymous: 'push', delete: true })
  const answer = await ask(newIsolate({ ACCESS_READ_ONLY: 'true' }), '/v2/team/app/blobs/uploads/', 'POST')
  expect([answer.status, await answer.text()]).toEqual([405, expect.stringContaining('read-only')])
})
