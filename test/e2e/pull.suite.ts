// What a client that pulls sees, the same at the origin and at every edge.

import { describe, expect, test } from 'vitest'
import {
  ociIndexType,
  ociManifestType,
  ociError,
  manifestText,
  pushBlob,
  pushImage,
  putManifest,
} from '../support/http-client.ts'
import { randomBytes, sha256 } from '../support/image.ts'

/** Ranges that a server may pass over, as we do, or refuse. */
const notUnderstood = [
  ['bytes=0-1,3-4', 200, '0123456789', null],
  ['lines=0-1', 200, '0123456789', null],
  ['bytes=5-2', 200, '0123456789', null],
] as const

/**
 * @param base gives the URL of the registry under test once it runs
 * @param from whose server hands out blobs after a redirect: ours, which knows what registries send, or any
 */
export function pullSuite(base: () => string, from: 'ours' | 'any' = 'ours'): void {
  const get = (path: string, init: RequestInit = {}) => fetch(`${base()}${path}`, init)

  describe('the version check', () => {
    test.each(['/v2/', '/v2'])('%s says that this is a registry', async (path) => {
      const response = await get(path)
      expect(response.status).toBe(200)
      expect(response.headers.get('Docker-Distribution-API-Version')).toBe('registry/2.0')
      expect(await response.json()).toEqual({})
    })
  })

  describe('a manifest', () => {
    test('comes by tag and by digest as it was pushed, byte for byte', async () => {
      const image = await pushImage(base(), 'pull/manifest', 'v1', 'manifest')
      for (const reference of ['v1', image.digest]) {
        const response = await get(`/v2/pull/manifest/manifests/${reference}`)
        expect(response.status).toBe(200)
        expect(response.headers.get('Content-Type')).toBe(ociManifestType)
        expect(response.headers.get('Docker-Content-Digest')).toBe(image.digest)
        expect(response.headers.get('Content-Length')).toBe(String(image.manifest.length))
        expect(response.headers.get('ETag')).toBe(`"${image.digest}"`)
        expect(await response.text()).toBe(image.manifest)
      }
    })

    test('HEAD has the headers of GET, the true length and no body', async () => {
      const image = await pushImage(base(), 'pull/head', 'v1', 'head')
      for (const reference of ['v1', image.digest]) {
        const response = await get(`/v2/pull/head/manifests/${reference}`, { method: 'HEAD' })
        expect(response.status).toBe(200)
        expect(response.headers.get('Content-Length')).toBe(String(image.manifest.length))
        expect(response.headers.get('Content-Type')).toBe(ociManifestType)
        expect(response.headers.get('Docker-Content-Digest')).toBe(image.digest)
        expect(await response.text()).toBe('')
      }
    })

    test('whose ETag the client has is 304', async () => {
      const image = await pushImage(base(), 'pull/etag', 'v1', 'etag')
      for (const reference of ['v1', image.digest]) {
        const response = await get(`/v2/pull/etag/manifests/${reference}`, {
          headers: { 'If-None-Match': `"${image.digest}"` },
        })
        expect(response.status).toBe(304)
        expect(response.headers.get('Docker-Content-Digest')).toBe(image.digest)
      }
      const other = await get('/v2/pull/etag/manifests/v1', { headers: { 'If-None-Match': '"sha256:other"' } })
      expect(other.status).toBe(200)
    })

    test('by tag is asked for again each time, by digest never changes', async () => {
      const image = await pushImage(base(), 'pull/caching', 'v1', 'caching')
      const byTag = await get('/v2/pull/caching/manifests/v1')
      expect(byTag.headers.get('Cache-Control')).toContain('no-cache')
      const byDigest = await get(`/v2/pull/caching/manifests/${image.digest}`)
      expect(byDigest.headers.get('Cache-Control')).toContain('immutable')
      for (const { headers } of [byTag, byDigest]) expect(headers.get('Cache-Control')).toContain('private')
    })

    test('is served whatever the client says it accepts: one URL has one answer', async () => {
      await pushImage(base(), 'pull/accept', 'v1', 'accept')
      for (const accept of ['application/vnd.oci.image.index.v1+json', 'text/html', '*/*']) {
        const response = await get('/v2/pull/accept/manifests/v1', { headers: { Accept: accept } })
        expect(response.headers.get('Content-Type')).toBe(ociManifestType)
      }
    })

    test('that is not there is 404 MANIFEST_UNKNOWN, which no cache keeps', async () => {
      await pushImage(base(), 'pull/known', 'v1', 'known')
      for (const path of [
        'pull/known/manifests/none',
        `pull/known/manifests/${sha256('none')}`,
        'pull/never/manifests/v1',
        'pull/known/manifests/.none',
      ]) {
        const response = await get(`/v2/${path}`)
        expect(response.headers.get('Cache-Control')).toBe('no-store')
        expect(await ociError(response)).toMatchObject({ status: 404, code: 'MANIFEST_UNKNOWN' })
      }
    })

    test('of another repository is not there', async () => {
      const image = await pushImage(base(), 'pull/mine', 'v1', 'mine')
      await pushImage(base(), 'pull/yours', 'v1', 'yours')
      expect((await get(`/v2/pull/yours/manifests/${image.digest}`)).status).toBe(404)
      expect((await get(`/v2/pull/yours/blobs/${sha256(image.layer)}`)).status).toBe(404)
    })

    test('of kinds other than an image comes back with its media type', async () => {
      const image = await pushImage(base(), 'pull/kinds', 'v1', 'kinds')
      const child = { mediaType: ociManifestType, digest: image.digest, size: image.manifest.length }
      const dockerManifest = 'application/vnd.docker.distribution.manifest.v2+json'
      const dockerList = 'application/vnd.docker.distribution.manifest.list.v2+json'
      const docker = image.manifest.replace(ociManifestType, dockerManifest)
      const documents: [string, string][] = [
        [ociIndexType, JSON.stringify({ schemaVersion: 2, mediaType: ociIndexType, manifests: [child] })],
        [ociIndexType, JSON.stringify({ schemaVersion: 2, manifests: [child] })],
        [ociManifestType, JSON.stringify({ ...JSON.parse(image.manifest), mediaType: undefined })],
        [dockerManifest, docker],
        [
          dockerList,
          JSON.stringify({
            schemaVersion: 2,
            mediaType: dockerList,
            manifests: [{ ...child, mediaType: dockerManifest }],
          }),
        ],
        [
          ociManifestType,
          manifestText(image.config, [image.layer], { artifactType: 'application/x.sbom', annotations: { a: 'b' } }),
        ],
      ]
      for (const [type, document] of documents) {
        const pushed = await putManifest(base(), 'pull/kinds', sha256(document), document, type)
        expect(pushed.status).toBe(201)
        const response = await get(`/v2/pull/kinds/manifests/${sha256(document)}`)
        expect(response.headers.get('Content-Type')).toBe(type)
        expect(await response.text()).toBe(document)
      }
    })
  })

  describe('a blob', () => {
    test('comes whole, by whatever way, with its length and its digest', async () => {
      const bytes = randomBytes('a blob', 2_500_000)
      const digest = await pushBlob(base(), 'pull/blob', bytes)
      const response = await get(`/v2/pull/blob/blobs/${digest}`)
      expect(response.status).toBe(200)
      expect(response.headers.get('Content-Length')).toBe('2500000')
      expect(response.headers.get('Content-Type')).toBe('application/octet-stream')
      if (from === 'ours') expect(response.headers.get('Docker-Content-Digest')).toBe(digest)
      expect(response.headers.get('Content-Encoding')).toBeNull()
      expect(sha256(new Uint8Array(await response.arrayBuffer()))).toBe(digest)
    })

    test('that is empty has the length 0', async () => {
      const digest = await pushBlob(base(), 'pull/empty', '')
      for (const method of ['HEAD', 'GET']) {
        const response = await get(`/v2/pull/empty/blobs/${digest}`, { method })
        expect(response.status).toBe(200)
        expect(response.headers.get('Content-Length')).toBe('0')
      }
    })

    test('HEAD has the true length and no body, and is no redirect', async () => {
      const digest = await pushBlob(base(), 'pull/blob-head', 'twelve bytes')
      const response = await get(`/v2/pull/blob-head/blobs/${digest}`, { method: 'HEAD', redirect: 'manual' })
      expect(response.status).toBe(200)
      expect(response.headers.get('Content-Length')).toBe('12')
      expect(response.headers.get('Docker-Content-Digest')).toBe(digest)
    })

    test.each([
      ['bytes=0-0', 206, '0', 'bytes 0-0/10'],
      ['bytes=2-5', 206, '2345', 'bytes 2-5/10'],
      ['bytes=7-', 206, '789', 'bytes 7-9/10'],
      ['bytes=-3', 206, '789', 'bytes 7-9/10'],
      ['bytes=5-100', 206, '56789', 'bytes 5-9/10'],
      // What need not be understood, others refuse.
      ...(from === 'ours' ? notUnderstood : []),
    ] as const)('Range %s is %i', async (range, status, body, contentRange) => {
      const digest = await pushBlob(base(), 'pull/ranges', '0123456789')
      const response = await get(`/v2/pull/ranges/blobs/${digest}`, { headers: { Range: range } })
      expect(response.status).toBe(status)
      expect(response.headers.get('Content-Range')).toBe(contentRange)
      expect(response.headers.get('Content-Length')).toBe(String(body.length))
      expect(await response.text()).toBe(body)
    })

    test('a range outside of it is 416 and says the size', async () => {
      const digest = await pushBlob(base(), 'pull/ranges', '0123456789')
      const response = await get(`/v2/pull/ranges/blobs/${digest}`, { headers: { Range: 'bytes=10-12' } })
      expect(response.status).toBe(416)
      if (from === 'ours') expect(response.headers.get('Content-Range')).toBe('bytes */10')
    })

    test('that is not there is 404 BLOB_UNKNOWN, HEAD too', async () => {
      const path = `/v2/pull/blob/blobs/${sha256('never pushed')}`
      expect(await ociError(await get(path))).toMatchObject({ status: 404, code: 'BLOB_UNKNOWN' })
      const head = await get(path, { method: 'HEAD' })
      expect([head.status, await head.text()]).toEqual([404, ''])
    })

    test('of sha512 comes as one of sha256 does', async () => {
      const digest = `sha512:${(await import('node:crypto')).hash('sha512', 'long digest')}`
      const pushed = await fetch(`${base()}/v2/pull/sha512/blobs/uploads/?digest=${digest}`, {
        method: 'POST',
        body: 'long digest',
      })
      expect(pushed.status).toBe(201)
      const response = await get(`/v2/pull/sha512/blobs/${digest}`)
      expect(await response.text()).toBe('long digest')
    })
  })

  describe('a list of tags', () => {
    const tags = ['1.0', '1.0-alpine', '1.0.1', '2', 'B', 'a', 'latest']

    test('is sorted bytewise, and comes in pages that Link to the next', async () => {
      const image = await pushImage(base(), 'pull/tags', 'latest', 'tags')
      for (const tag of tags) await putManifest(base(), 'pull/tags', tag, image.manifest)
      expect(await (await get('/v2/pull/tags/tags/list')).json()).toEqual({ name: 'pull/tags', tags })

      const collected: string[] = []
      let path: string | undefined = '/v2/pull/tags/tags/list?n=3'
      let pages = 0
      while (path !== undefined) {
        const response = await get(path)
        collected.push(...((await response.json()) as { tags: string[] }).tags)
        path = /^<([^>]+)>; rel="next"$/.exec(response.headers.get('Link') ?? '')?.[1]
        pages += 1
      }
      expect(collected).toEqual(tags)
      expect(pages).toBe(3)
    })

    test.each([
      ['n=0', []],
      ['n=2', ['1.0', '1.0-alpine']],
      ['n=2&last=1.0', ['1.0-alpine', '1.0.1']],
      ['last=2', ['B', 'a', 'latest']],
      ['n=100&last=1.5', ['2', 'B', 'a', 'latest']],
      ['last=zzz', []],
    ])('%s gives its part', async (query, expected) => {
      const image = await pushImage(base(), 'pull/tags', 'latest', 'tags')
      for (const tag of tags) await putManifest(base(), 'pull/tags', tag, image.manifest)
      const response = await get(`/v2/pull/tags/tags/list?${query}`)
      expect(response.status).toBe(200)
      expect(((await response.json()) as { tags: string[] }).tags).toEqual(expected)
    })

    test('of a repository without tags is empty, of one that is not there 404 NAME_UNKNOWN', async () => {
      const image = await pushImage(base(), 'pull/tags', 'latest', 'tags')
      await pushBlob(base(), 'pull/untagged', image.config)
      await pushBlob(base(), 'pull/untagged', image.layer)
      await putManifest(base(), 'pull/untagged', image.digest, image.manifest)
      expect(await (await get('/v2/pull/untagged/tags/list')).json()).toEqual({ name: 'pull/untagged', tags: [] })
      expect(await ociError(await get('/v2/pull/unheard-of/tags/list'))).toMatchObject({
        status: 404,
        code: 'NAME_UNKNOWN',
      })
    })

    test('with an n that is no number is refused', async () => {
      expect((await get('/v2/pull/tags/tags/list?n=-1')).status).toBe(400)
    })
  })
}
