// Pitfalls of caches and edges, by their numbers, where nobody signs in. With users they are in private-content.test.ts; 8
// and 9, which are about KV and R2, are in test/workerd.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { createMemoryBucket, type Objects } from '../support/bucket/memory-bucket.ts'
import { createMemoryUploads } from '../support/bucket/memory-uploads.ts'
import { edgeApp, originApp } from '../support/apps.ts'
import { stackFaces } from '../support/faces/faces.ts'
import { manifestText, ociManifestType, pushImage, type SmallImage, startUpload } from '../support/http-client.ts'
import { sha256 } from '../support/image.ts'
import { type Stack, startStack } from '../support/stack.ts'

describe.each(stackFaces)('at %s', (_, runtime, face) => {
  let stack: Stack
  let base: string
  let image: SmallImage
  const get = (path: string, init: RequestInit = {}) => fetch(`${base}${path}`, { redirect: 'manual', ...init })

  beforeAll(async () => {
    stack = await startStack(runtime)
    base = face(stack)
    image = await pushImage(base, 'caching/one', 'v1', 'caching')
  })

  afterAll(() => stack.stop())

  /** Every route, with answers of every status that a client can get there. */
  async function everyAnswer(): Promise<readonly (readonly [string, Response])[]> {
    const one = '/v2/caching/one'
    const blob = `${one}/blobs/${sha256(image.layer)}`
    const upload = (await startUpload(base, 'caching/one')).pathname
    const push = { method: 'PUT', body: image.manifest, headers: { 'Content-Type': ociManifestType } }
    const asked: readonly [string, RequestInit?][] = [
      ['/v2/'],
      [`${one}/manifests/v1`],
      [`${one}/manifests/v1`, { method: 'HEAD' }],
      [`${one}/manifests/v1`, { headers: { 'If-None-Match': `"${image.digest}"` } }],
      [`${one}/manifests/${image.digest}`],
      [`${one}/manifests/none`],
      [blob],
      [blob, { method: 'HEAD' }],
      [blob, { headers: { Range: 'bytes=0-0' } }],
      [blob, { headers: { Range: 'bytes=999-' } }],
      [`${one}/blobs/${sha256('none')}`],
      [`${one}/tags/list`],
      ['/v2/caching/none/tags/list'],
      [`${one}/tags/list?n=x`],
      [`${one}/referrers/${image.digest}`],
      ['/v2/_catalog'],
      ['/v2/_catalog', { method: 'POST' }],
      ['/v2/BAD/manifests/v1'],
      ['/nothing'],
      [`/v2/${'a'.repeat(64)}/blobs/uploads/`, { method: 'POST' }],
      [`${one}/blobs/uploads/`, { method: 'POST' }],
      [upload, { method: 'PATCH', body: 'x' }],
      [upload, { method: 'PATCH', body: 'x', headers: { 'Content-Range': '9-9' } }],
      [upload],
      [upload, { method: 'DELETE' }],
      [`${one}/manifests/v2`, push],
      [`${one}/manifests/v2`, { method: 'DELETE' }],
    ]
    const answers: [string, Response][] = []
    for (const [path, init = {}] of asked) answers.push([`${init.method ?? 'GET'} ${path}`, await get(path, init)])
    return answers
  }

  test('pitfall 1: what others asked with another Host, Authorization or Accept changes no answer, and no cache may give it to them', async () => {
    const variants = [
      {},
      { Authorization: 'Bearer mine' },
      { Authorization: 'Basic eDp5' },
      { Accept: 'text/html' },
      { Cookie: 'a=b' },
    ]
    for (const headers of variants) {
      const response = await get('/v2/caching/one/manifests/v1', { headers })
      expect([response.status, await response.text()]).toEqual([200, image.manifest])
      // A cache that several share, and whose key leaves those headers out, must not keep it.
      expect(response.headers.get('Cache-Control')).toMatch(/^private, /)
    }
  })

  test('pitfall 2: no answer whatever says that everyone may keep it', async () => {
    for (const [what, { headers }] of await everyAnswer())
      expect([what, headers.get('Cache-Control')]).toEqual([what, expect.not.stringMatching(/public|s-maxage/)])
  })

  test('pitfall 3: one URL has one answer, whatever Accept says, so that no cache can mix them', async () => {
    const index = 'application/vnd.oci.image.index.v1+json'
    for (const accept of [ociManifestType, index, '*/*', `${index}, ${ociManifestType};q=0.1`]) {
      const response = await get('/v2/caching/one/manifests/v1', { headers: { Accept: accept } })
      const { headers } = response
      expect([headers.get('Content-Type'), headers.get('ETag')]).toEqual([ociManifestType, `"${image.digest}"`])
      expect(await response.text()).toBe(image.manifest)
    }
  })

  test('pitfall 4: every answer says itself whether it may be kept; refusals may not', async () => {
    const statuses = new Set<number>()
    for (const [what, { status, headers }] of await everyAnswer()) {
      statuses.add(status)
      const said = headers.get('Cache-Control')
      expect([what, said]).toEqual([what, status >= 400 ? 'no-store' : expect.any(String)])
    }
    const all = [...statuses].toSorted((a, b) => a - b)
    expect(all).toEqual(expect.arrayContaining([200, 201, 202, 204, 304, 400, 403, 404, 405, 416]))
  })

  test('pitfall 6: a tag’s answer has neither s-maxage nor must-revalidate, which would end stale-while-revalidate', async () => {
    for (const method of ['GET', 'HEAD']) {
      const { headers } = await get('/v2/caching/one/manifests/v1', { method })
      expect(headers.get('Cache-Control')).toBe('private, no-cache, no-transform')
    }
  })

  test('pitfall 7: after a part of a blob the whole comes whole, and a manifest comes whole whatever Range says', async () => {
    const blob = `/v2/caching/one/blobs/${sha256(image.layer)}`
    for (const range of ['bytes=0-0', 'bytes=1-2', undefined, 'bytes=3-', undefined]) {
      const response = await get(blob, { redirect: 'follow', headers: range === undefined ? {} : { Range: range } })
      expect(response.status).toBe(range === undefined ? 200 : 206)
      if (range === undefined) expect(await response.text()).toBe(image.layer)
      const manifest = await get('/v2/caching/one/manifests/v1', { headers: { Range: range ?? 'bytes=0-0' } })
      expect([manifest.status, await manifest.text()]).toEqual([200, image.manifest])
    }
  })

  test('pitfall 10: requests at once get their own answers and ids: no module-level state mixes them', async () => {
    const names = Array.from({ length: 8 }, (_unused, at) => `caching/at-once-${at}`)
    const images = await Promise.all(names.map((name) => pushImage(base, name, 'v1', name)))
    await Promise.all(
      Array.from({ length: 200 }, async (_unused, at) => {
        const which = at % names.length
        const id = `request-${String(at).padStart(4, '0')}`
        const response = await get(`/v2/${names[which]}/manifests/v1`, { headers: { 'X-Request-Id': id } })
        expect([response.headers.get('X-Request-Id'), await response.text()]).toEqual([id, images[which]?.manifest])
      }),
    )
  })
})

/** A bucket that counts what is asked of it, behind an edge and an origin. */
async function countingRegistry() {
  const objects: Objects = new Map()
  const bucket = createMemoryBucket(objects)
  const origin = originApp({ bucket, uploads: createMemoryUploads(objects) })
  const push = async (path: string, init: RequestInit) =>
    expect((await origin.request(`http://r/v2/a/${path}`, init)).status).toBe(201)
  for (const body of ['{}', 'layer']) await push(`blobs/uploads/?digest=${sha256(body)}`, { method: 'POST', body })
  const manifest = manifestText('{}', ['layer'])
  await push('manifests/v1', { method: 'PUT', body: manifest, headers: { 'Content-Type': ociManifestType } })
  const calls: string[] = []
  const counted: typeof bucket = {
    ...bucket,
    head: (key, ...rest) => (calls.push(`head ${key}`), bucket.head(key, ...rest)),
    read: (key, ...rest) => (calls.push(`read ${key}`), bucket.read(key, ...rest)),
    open: (key, ...rest) => (calls.push(`open ${key}`), bucket.open(key, ...rest)),
  }
  return { bucket: counted, calls, blob: sha256('layer'), manifest: sha256(manifest) }
}

test('pitfall 5: a cold HEAD of a blob reads no byte of it, at the edge and at the origin', async () => {
  const { bucket, calls, blob } = await countingRegistry()
  const apps = [edgeApp({ bucket }), originApp({ bucket, uploads: createMemoryUploads(new Map()) })]
  for (const app of apps) {
    calls.length = 0
    const response = await app.request(`http://r/v2/a/blobs/${blob}`, { method: 'HEAD' })
    expect([response.status, response.headers.get('Content-Length')]).toEqual([200, '5'])
    expect(calls.filter((call) => !call.startsWith('head '))).toEqual([])
  }
})

test('pitfall 1: the edge’s cache of manifests goes by repository: what one was given no other is, while the bucket is down too', async () => {
  const { bucket, manifest: digest } = await countingRegistry()
  let down = false
  const upOrDown = async <Result>(work: () => Promise<Result>) => {
    if (down) throw new UpstreamError('bucket', 'it is down')
    return work()
  }
  const failing: typeof bucket = {
    ...bucket,
    head: (...args) => upOrDown(() => bucket.head(...args)),
    read: (...args) => upOrDown(() => bucket.read(...args)),
  }
  const edge = edgeApp({ bucket: failing })
  expect((await edge.request(`http://r/v2/a/manifests/${digest}`)).status).toBe(200)
  expect((await edge.request(`http://r/v2/b/manifests/${digest}`)).status).toBe(404)
  down = true
  expect((await edge.request(`http://r/v2/a/manifests/${digest}`)).status).toBe(200)
  expect((await edge.request(`http://r/v2/b/manifests/${digest}`)).status).toBe(503)
})
