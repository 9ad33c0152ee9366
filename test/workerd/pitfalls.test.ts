// Pitfalls of Cloudflare and its KV and R2, by their numbers, in workerd. The others are in test/pitfalls.

import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { beforeAll, expect, test } from 'vitest'
import { blobKey, linkContent, revisionLinkKey, tagLinkKey } from '../../shared/layout/keys.ts'
import { type Digest, digestOf } from '../../shared/protocol/digest.ts'
import type { RepositoryName, Tag } from '../../shared/protocol/names.ts'
import worker from '../../worker/index.ts'
import { publishRules } from './published-rules.ts'

const tag = 'latest' as Tag

beforeAll(() => publishRules())

/** Moves the tag to a new manifest in the bucket, as an origin would; returns what it names now. */
async function moveTag(name: RepositoryName, note: string): Promise<Digest> {
  const manifest = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, manifests: [], annotations: { note } }))
  const digest = await digestOf(new Uint8Array(manifest))
  await env.BUCKET.put(blobKey(digest), manifest)
  await env.BUCKET.put(revisionLinkKey(name, digest), linkContent(digest))
  await env.BUCKET.put(tagLinkKey(name, tag), linkContent(digest))
  return digest
}

/** What an isolate with nothing in memory says the tag names. */
async function pulledBy(bindings: object, name: RepositoryName): Promise<string | null> {
  const context = createExecutionContext()
  const url = `http://edge.example/v2/${name}/manifests/${tag}`
  const response = await worker.fetch(new Request(url), { ...env, ...bindings }, context)
  await waitOnExecutionContext(context)
  expect(response.status).toBe(200)
  return response.headers.get('Docker-Content-Digest')
}

test('pitfall 8: a tag that was pushed is seen elsewhere at once, though KV still has the old one', async () => {
  const name = 'pitfall/8' as RepositoryName
  const old = await moveTag(name, 'old')
  expect(await pulledBy({}, name)).toBe(old)
  expect(await env.MANIFESTS.get(`t/${name}/${tag}`)).toBe(old)
  // Elsewhere KV may answer with the old one for a minute: it is not asked what a tag names.
  const stale = {
    get: env.MANIFESTS.get.bind(env.MANIFESTS),
    getWithMetadata: env.MANIFESTS.getWithMetadata.bind(env.MANIFESTS),
    put: () => Promise.resolve(),
  }
  const moved = await moveTag(name, 'new')
  expect(await pulledBy({ MANIFESTS: stale }, name)).toBe(moved)
  expect(await env.MANIFESTS.get(`t/${name}/${tag}`)).toBe(old)
})

test('pitfall 9: two tag writes within a second are both seen, though KV refuses the second write with 429; R2 is never written', async () => {
  const name = 'pitfall/9' as RepositoryName
  const written = new Set<string>()
  const oncePerSecond = {
    get: env.MANIFESTS.get.bind(env.MANIFESTS),
    getWithMetadata: env.MANIFESTS.getWithMetadata.bind(env.MANIFESTS),
    put(key: string) {
      if (written.has(key)) return Promise.reject(new Error('KV PUT failed: 429 Too Many Requests'))
      written.add(key)
      return Promise.resolve()
    },
  }
  const readOnly = {
    get: env.BUCKET.get.bind(env.BUCKET),
    head: env.BUCKET.head.bind(env.BUCKET),
    list: env.BUCKET.list.bind(env.BUCKET),
  }
  for (const note of ['first', 'second', 'third']) {
    const moved = await moveTag(name, note)
    expect(await pulledBy({ MANIFESTS: oncePerSecond, BUCKET: readOnly }, name)).toBe(moved)
  }
  expect([...written]).toContain(`t/${name}/${tag}`)
})

test('pitfall 21: Cloudflare says who the client is, and nobody else does', async () => {
  const isolate = { ...env, REQUESTS_PER_MINUTE: '1' }
  const statusFor = async (client: string, forwardedFor: string) => {
    const headers = { 'CF-Connecting-IP': client, 'X-Forwarded-For': forwardedFor, 'X-Real-IP': forwardedFor }
    const context = createExecutionContext()
    const response = await worker.fetch(new Request('http://edge.example/v2/', { headers }), isolate, context)
    await waitOnExecutionContext(context)
    return response.status
  }
  expect(await statusFor('192.0.2.7', '203.0.113.1')).toBe(200)
  expect(await statusFor('192.0.2.7', '203.0.113.2')).toBe(429)
  expect(await statusFor('192.0.2.8', '203.0.113.1')).toBe(200)
  expect(await statusFor('2001:db8::1', '203.0.113.1')).toBe(200)
  expect(await statusFor('2001:db8::2', '203.0.113.3')).toBe(429)
})
