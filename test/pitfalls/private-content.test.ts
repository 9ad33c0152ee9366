// Pitfalls of caches where some content is private, by their numbers: what one client was given no other is, from no
// tier, and while the bucket is in error too.

import * as v from 'valibot'
import { beforeEach, describe, expect, test } from 'vitest'
import { accessRulesSchema } from '../../shared/auth/access.ts'
import { createMemoryCache } from '../../shared/edge/memory-cache.ts'
import type { BucketReader } from '../../shared/ports/bucket.ts'
import type { ObjectLinks } from '../../shared/ports/object-links.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { edgeApp, fetchOf, originApp } from '../support/apps.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { manifestText, ociIndexType, ociManifestType } from '../support/http-client.ts'
import { sha256 } from '../support/image.ts'
import { createMemoryBucket, type Objects } from '../support/bucket/memory-bucket.ts'
import { createMemoryUploads } from '../support/bucket/memory-uploads.ts'
import { ownAuthentication } from '../support/access/own-authentication.ts'

const access = v.parse(accessRulesSchema, {
  anonymous: 'pull',
  delete: false,
  private: ['private/**'],
  rules: [{ repositories: ['private/**', 'public/same'], users: ['reader'], rights: ['push'] }],
})
const one = '/v2/private/one'
const manifest = manifestText('{}', ['layer'])
const [digest, layer] = [sha256(manifest), sha256('layer')]

/** The bucket, as long as it is not switched off. */
function failing(bucket: BucketReader): BucketReader & { isDown: boolean } {
  const unless = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    if (it.isDown) throw new UpstreamError('bucket', 'it is down')
    return work()
  }
  const it: BucketReader & { isDown: boolean } = {
    isDown: false,
    head: (...args) => unless(() => bucket.head(...args)),
    read: (...args) => unless(() => bucket.read(...args)),
    open: (...args) => unless(() => bucket.open(...args)),
    async *list(...args) {
      await unless(async () => undefined)
      yield* bucket.list(...args)
    },
  }
  return it
}

/** What is sent beside the target. */
interface Sent {
  readonly method?: string
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** Redirects as they are made to a bucket. */
const links: ObjectLinks = { link: async (key) => `http://bucket.test/${key}?signed` }

async function world() {
  const clock = createFakeClock()
  const objects: Objects = new Map()
  const plain = createMemoryBucket(objects)
  const { auth, headers } = await ownAuthentication(clock)
  const origin = originApp({ bucket: plain, uploads: createMemoryUploads(objects), clock, access, auth })
  const push = async (name: string) => {
    const user = await headers('reader', name, { granted: ['pull', 'push'] })
    const send = async (path: string, init: Sent) => {
      const all = { ...init, headers: { ...init.headers, ...user } }
      expect([path, (await origin.request(`http://r/v2/${name}/${path}`, all)).status]).toEqual([path, 201])
    }
    for (const body of ['{}', 'layer']) await send(`blobs/uploads/?digest=${sha256(body)}`, { method: 'POST', body })
    await send('manifests/v1', { method: 'PUT', body: manifest, headers: { 'Content-Type': ociManifestType } })
  }
  await push('private/one')
  // So that it has a place on IPFS, which is no secret, but is not told with what is private.
  await push('public/same')
  const reader = await headers('reader', 'private/one', { granted: ['pull', 'push'] })
  const bucket = failing(plain)
  const shared = createMemoryCache(1024 * 1024)
  const newEdge = () => edgeApp({ bucket, links, shared, clock, access, auth, fetch: fetchOf(origin) })
  return {
    bucket,
    newEdge,
    edge: newEdge(),
    origin,
    reader,
    /** Each with the answer that everything private has for them. */
    others: [
      ['no token', {}, 401],
      ['the anonymous token', { Authorization: 'Bearer anonymous' }, 401],
      ['a token for another repository', await headers('reader', 'private/two', { granted: ['pull'] }), 401],
      ['a user who may not', await headers('stranger', 'private/one', { refused: ['pull', 'fetch'] }), 403],
      ['no JWT', { Authorization: 'Bearer x.y.z' }, 401],
    ] as readonly (readonly [string, Record<string, string>, number])[],
  }
}

/** Every way to ask for what is in the repository. */
const pulls: readonly (readonly [string, Sent?])[] = [
  ['manifests/v1'],
  ['manifests/v1', { method: 'HEAD' }],
  ['manifests/v1', { headers: { 'If-None-Match': `"${digest}"` } }],
  ['manifests/v1', { headers: { Accept: ociIndexType } }],
  [`manifests/${digest}`],
  [`manifests/${digest}`, { headers: { Range: 'bytes=0-1' } }],
  [`blobs/${layer}`],
  [`blobs/${layer}`, { method: 'HEAD' }],
  [`blobs/${layer}`, { headers: { Range: 'bytes=0-1' } }],
  [`blobs/${layer}`, { headers: { 'If-None-Match': `"${layer}"` } }],
]

describe('an edge that has given private content to a reader', () => {
  let it: Awaited<ReturnType<typeof world>>

  const ask = (app: typeof it.edge, [path, init = {}]: readonly [string, Sent?], headers: object) =>
    app.request(`http://edge.test${one}/${path}`, { ...init, headers: { ...init.headers, ...headers } })

  beforeEach(async () => {
    it = await world()
    for (const pull of pulls) expect((await ask(it.edge, pull, it.reader)).status).toBeOneOf([200, 206, 304, 307])
  })

  async function expectRefused(app: typeof it.edge) {
    for (const [who, headers, status] of it.others) {
      for (const pull of pulls) {
        const answer = await ask(app, pull, headers)
        const { headers: told } = answer
        expect([who, pull, answer.status, told.get('Cache-Control')]).toEqual([who, pull, status, 'no-store'])
        for (const name of ['Location', 'ETag', 'Docker-Content-Digest', 'Warning', 'X-Ipfs-Path'])
          expect([who, pull, name, told.get(name)]).toEqual([who, pull, name, null])
        expect(await answer.text()).not.toContain(layer.slice(0, 20))
      }
    }
  }

  test('pitfall 1: no other client gets it, from memory, KV, or as a redirect', async () => {
    await expectRefused(it.edge)
    await expectRefused(it.newEdge())
  })

  test('pitfall 1: nor is it the last known answer to anyone else while the bucket is in error', async () => {
    it.bucket.isDown = true
    const known = await ask(it.edge, ['manifests/v1'], it.reader)
    expect([known.status, known.headers.get('Warning')]).toEqual([200, expect.stringContaining('last known')])
    expect(known.headers.get('Cache-Control')).toMatch(/^private, /)
    // Another edge has it from the cache that they share.
    expect((await ask(it.newEdge(), ['manifests/v1'], it.reader)).status).toBe(200)
    await expectRefused(it.edge)
    await expectRefused(it.newEdge())
  })

  test('pitfall 1: nor does another repository get it, of which the same client may read', async () => {
    const elsewhere = (path: string) =>
      it.edge.request(`http://edge.test/v2/public/two/${path}`, { headers: it.reader })
    for (const path of [`manifests/${digest}`, 'manifests/v1', `blobs/${layer}`]) {
      it.bucket.isDown = false
      expect((await elsewhere(path)).status).toBe(404)
      it.bucket.isDown = true
      expect((await elsewhere(path)).status).toBe(503)
    }
  })

  test('pitfall 2: where it is on IPFS is told with what is public alone, of the same bytes', async () => {
    const inPublic = await it.edge.request('http://edge.test/v2/public/same/manifests/v1')
    expect(inPublic.headers.get('X-Ipfs-Path')).toMatch(/^\/ipfs\//)
    for (const app of [it.edge, it.newEdge(), it.origin])
      expect((await ask(app, ['manifests/v1'], it.reader)).headers.get('X-Ipfs-Path')).toBeNull()
  })

  test('pitfall 2: none of the answers says that others may keep it, and nobody may keep a redirect', async () => {
    for (const app of [it.edge, it.origin]) {
      for (const pull of pulls) {
        const { status, headers } = await ask(app, pull, it.reader)
        const said = headers.get('Cache-Control')
        expect([pull, said]).toEqual([pull, expect.stringMatching(/^private, /)])
        expect([pull, said]).toEqual([pull, expect.not.stringMatching(/public|s-maxage/)])
        if (status === 307) expect(said).toBe('private, no-store')
      }
    }
  })

  test('pitfall 3: what Accept says makes no refusal an answer, and no answer another one', async () => {
    for (const Accept of [ociManifestType, ociIndexType, '*/*', 'text/html', '']) {
      for (const [, headers, status] of it.others)
        expect((await ask(it.edge, ['manifests/v1', { headers: { Accept } }], headers)).status).toBe(status)
      const answer = await ask(it.edge, ['manifests/v1', { headers: { Accept } }], it.reader)
      expect([answer.headers.get('Content-Type'), await answer.text()]).toEqual([ociManifestType, manifest])
    }
  })
})
