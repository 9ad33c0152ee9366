// What a client that pushes sees, the same at the origin and through every edge.

import { describe, expect, test } from 'vitest'
import {
  locationOf,
  manifestText,
  ociError,
  ociManifestType,
  pushBlob,
  pushImage,
  putManifest,
  startUpload,
  withDigest,
} from '../support/http-client.ts'
import { sha256 } from '../support/image.ts'

export function pushSuite(base: () => string): void {
  const blob = (name: string, digest: string) => fetch(`${base()}/v2/${name}/blobs/${digest}`)
  const upload = (url: URL, method: string, body: string | null, headers: Record<string, string> = {}) =>
    fetch(url, { method, body, headers: { 'Content-Type': 'application/octet-stream', ...headers } })

  describe('an upload', () => {
    test('in one POST with the digest', async () => {
      const digest = sha256('in one POST')
      const response = await fetch(`${base()}/v2/push/post/blobs/uploads/?digest=${digest}`, {
        method: 'POST',
        body: 'in one POST',
      })
      expect(response.status).toBe(201)
      expect(response.headers.get('Docker-Content-Digest')).toBe(digest)
      expect(await (await fetch(locationOf(response, base()))).text()).toBe('in one POST')
    })

    test('with POST, then PUT', async () => {
      const digest = await pushBlob(base(), 'push/put', 'POST and PUT')
      expect(await (await blob('push/put', digest)).text()).toBe('POST and PUT')
    })

    test('with chunks in PATCH, each told where the next begins, and an empty PUT', async () => {
      const start = await startUpload(base(), 'push/chunks')
      const first = await upload(start, 'PATCH', 'first ', { 'Content-Range': '0-5' })
      expect(first.status).toBe(202)
      expect(first.headers.get('Range')).toBe('0-5')
      const second = await upload(locationOf(first, base()), 'PATCH', 'second', { 'Content-Range': '6-11' })
      expect(second.headers.get('Range')).toBe('0-11')
      const digest = sha256('first second')
      const done = await upload(withDigest(locationOf(second, base()), digest), 'PUT', null)
      expect(done.status).toBe(201)
      expect(await (await blob('push/chunks', digest)).text()).toBe('first second')
    })

    test('with a chunk of unknown length and the last bytes in the PUT', async () => {
      const start = await startUpload(base(), 'push/stream')
      const body = ReadableStream.from([new TextEncoder().encode('streamed '), new TextEncoder().encode('and ')])
      const patch = await fetch(start, { method: 'PATCH', body, duplex: 'half' })
      expect(patch.status).toBe(202)
      const digest = sha256('streamed and closed')
      expect((await upload(withDigest(locationOf(patch, base()), digest), 'PUT', 'closed')).status).toBe(201)
      expect(await (await blob('push/stream', digest)).text()).toBe('streamed and closed')
    })

    test('a chunk out of order is 416, says where to go on, and changes nothing', async () => {
      const start = await startUpload(base(), 'push/order')
      await upload(start, 'PATCH', '0123', { 'Content-Range': '0-3' })
      for (const range of ['5-8', '0-3', '3-6']) {
        const refused = await upload(start, 'PATCH', 'wxyz', { 'Content-Range': range })
        expect(refused.headers.get('Range')).toBe('0-3')
        expect(await ociError(refused)).toMatchObject({ status: 416, code: 'BLOB_UPLOAD_INVALID' })
      }
      const digest = sha256('01234567')
      expect((await upload(withDigest(start, digest), 'PUT', '4567', { 'Content-Range': '4-7' })).status).toBe(201)
    })

    test('a chunk whose length is not that of its range is refused and changes nothing', async () => {
      const start = await startUpload(base(), 'push/lengths')
      expect(await ociError(await upload(start, 'PATCH', '0123', { 'Content-Range': '0-9' }))).toMatchObject({
        status: 400,
        code: 'SIZE_INVALID',
      })
      const unknownLength = ReadableStream.from([new TextEncoder().encode('0123')])
      const refused = await fetch(start, {
        method: 'PATCH',
        body: unknownLength,
        headers: { 'Content-Range': '0-9' },
        duplex: 'half',
      })
      expect(await ociError(refused)).toMatchObject({ status: 400, code: 'SIZE_INVALID' })
      expect((await upload(start, 'GET', null)).headers.get('Range')).toBe('0-0')
      expect(await ociError(await upload(start, 'PATCH', '0', { 'Content-Range': 'zero' }))).toMatchObject({
        code: 'BLOB_UPLOAD_INVALID',
      })
    })

    test('tells how far it is, and ends when it is cancelled', async () => {
      const start = await startUpload(base(), 'push/status')
      await upload(start, 'PATCH', '0123456789')
      const status = await upload(start, 'GET', null)
      expect([status.status, status.headers.get('Range')]).toEqual([204, '0-9'])
      expect(locationOf(status, base()).pathname).toBe(start.pathname)
      expect((await upload(start, 'DELETE', null)).status).toBe(204)
      for (const method of ['GET', 'PATCH', 'PUT', 'DELETE']) {
        const url = method === 'PUT' ? withDigest(start, sha256('')) : start
        expect(await ociError(await upload(url, method, null))).toMatchObject({
          status: 404,
          code: 'BLOB_UPLOAD_UNKNOWN',
        })
      }
    })

    test('with the wrong digest is refused; the session stays as it was and can be ended rightly', async () => {
      const start = await startUpload(base(), 'push/wrong')
      await upload(start, 'PATCH', 'right ')
      const refused = await upload(withDigest(start, sha256('wrong')), 'PUT', 'bytes')
      expect(await ociError(refused)).toMatchObject({ status: 400, code: 'DIGEST_INVALID' })
      expect((await blob('push/wrong', sha256('wrong'))).status).toBe(404)
      expect((await upload(start, 'GET', null)).headers.get('Range')).toBe('0-5')
      expect((await upload(withDigest(start, sha256('right bytes')), 'PUT', 'bytes')).status).toBe(201)
    })

    test.each(['', 'sha256:abc', `sha256:${'A'.repeat(64)}`, `md5:${'a'.repeat(32)}`, 'nonsense'])(
      'with the digest %o is DIGEST_INVALID',
      async (digest) => {
        const start = await startUpload(base(), 'push/malformed')
        expect(await ociError(await upload(withDigest(start, digest), 'PUT', 'x'))).toMatchObject({
          status: 400,
          code: 'DIGEST_INVALID',
        })
      },
    )

    test('belongs to its repository: its id is nothing under another name', async () => {
      const start = await startUpload(base(), 'push/mine')
      const foreign = new URL(start.href.replace('/push/mine/', '/push/yours/'))
      for (const method of ['GET', 'PATCH', 'DELETE']) {
        expect(await ociError(await upload(foreign, method, null))).toMatchObject({
          status: 404,
          code: 'BLOB_UPLOAD_UNKNOWN',
        })
      }
      expect((await upload(start, 'GET', null)).status).toBe(204)
    })

    test.each(['..', 'x', '%2e%2e', '00000000-0000-4000-8000-000000000000-0123456789abcdef'])(
      'with the id %s is unknown',
      async (id) => {
        const response = await fetch(`${base()}/v2/push/ids/blobs/uploads/${id}`)
        expect(response.status).toBeGreaterThanOrEqual(400)
        expect(response.status).toBeLessThan(500)
      },
    )

    test('of the same blob by many clients at once succeeds for each', async () => {
      const content = 'pushed by many '.repeat(50_000)
      const digests = await Promise.all(Array.from({ length: 8 }, () => pushBlob(base(), 'push/many', content)))
      expect(await (await blob('push/many', digests[0] ?? '')).text()).toBe(content)
    })
  })

  describe('a mount', () => {
    test('makes a blob of one repository belong to another', async () => {
      const digest = await pushBlob(base(), 'push/source', 'mounted')
      const response = await fetch(`${base()}/v2/push/target/blobs/uploads/?mount=${digest}&from=push/source`, {
        method: 'POST',
      })
      expect(response.status).toBe(201)
      expect(response.headers.get('Docker-Content-Digest')).toBe(digest)
      expect(await (await blob('push/target', digest)).text()).toBe('mounted')
    })

    test.each(['from=push/without', 'from=Not/A/Name', ''])(
      'of what is not there (%s) begins an upload instead',
      async (from) => {
        const response = await fetch(`${base()}/v2/push/target/blobs/uploads/?mount=${sha256('nowhere')}&${from}`, {
          method: 'POST',
        })
        expect(response.status).toBe(202)
        expect(locationOf(response, base()).pathname).toContain('/v2/push/target/blobs/uploads/')
      },
    )

    test('without from finds the blob wherever it is', async () => {
      const digest = await pushBlob(base(), 'push/somewhere', 'found anywhere')
      expect((await fetch(`${base()}/v2/push/target/blobs/uploads/?mount=${digest}`, { method: 'POST' })).status).toBe(
        201,
      )
    })
  })

  describe('a manifest push', () => {
    test('answers with digest and location', async () => {
      const image = await pushImage(base(), 'push/manifest', 'v1', 'push')
      const response = await putManifest(base(), 'push/manifest', 'v2', image.manifest)
      expect(response.status).toBe(201)
      expect(response.headers.get('Docker-Content-Digest')).toBe(image.digest)
      expect(await (await fetch(locationOf(response, base()))).text()).toBe(image.manifest)
    })

    test('moves a tag, and the next pull sees it', async () => {
      for (const seed of ['one', 'two', 'three']) {
        const { digest } = await pushImage(base(), 'push/moving', 'latest', seed)
        const pulled = await fetch(`${base()}/v2/push/moving/manifests/latest`)
        expect(pulled.headers.get('Docker-Content-Digest')).toBe(digest)
      }
    })

    test('whose blobs are missing is MANIFEST_BLOB_UNKNOWN, names them, and leaves no tag', async () => {
      await pushImage(base(), 'push/elsewhere', 'v1', 'elsewhere')
      const config = 'not pushed here'
      const refused = await putManifest(base(), 'push/missing', 'v1', manifestText(config, []))
      const error = await ociError(refused)
      expect(error).toMatchObject({ status: 404, code: 'MANIFEST_BLOB_UNKNOWN' })
      expect(error.detail).toContain(sha256(config))
      expect((await fetch(`${base()}/v2/push/missing/manifests/v1`)).status).toBe(404)
    })

    test('that names a blob of another repository is refused: it must be mounted first', async () => {
      const image = await pushImage(base(), 'push/theirs', 'v1', 'theirs')
      expect(await ociError(await putManifest(base(), 'push/ours', 'v1', image.manifest))).toMatchObject({
        code: 'MANIFEST_BLOB_UNKNOWN',
      })
    })

    test('whose only missing layers are foreign is taken', async () => {
      const { config } = await pushImage(base(), 'push/foreign', 'v0', 'foreign')
      const foreign = {
        mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
        digest: sha256('elsewhere'),
        size: 9,
        urls: ['https://example.com/l'],
      }
      const manifest = manifestText(config, [], { layers: [foreign] })
      expect((await putManifest(base(), 'push/foreign', 'v1', manifest)).status).toBe(201)
    })

    test('under a digest that is not its own is DIGEST_INVALID', async () => {
      const image = await pushImage(base(), 'push/digest', 'v1', 'digest')
      const refused = await putManifest(base(), 'push/digest', sha256('other'), image.manifest)
      expect(await ociError(refused)).toMatchObject({ status: 400, code: 'DIGEST_INVALID' })
    })

    test.each([
      ['no JSON', '{', ociManifestType],
      ['an empty body', '', ociManifestType],
      ['not an object', '[]', ociManifestType],
      ['neither image nor index', '{"schemaVersion":2}', ociManifestType],
      ['another schema version', '{"schemaVersion":3,"config":{},"layers":[]}', ociManifestType],
      [
        'a media type that disagrees',
        '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}',
        ociManifestType,
      ],
      [
        'a layer without a digest',
        '{"schemaVersion":2,"manifests":[{"mediaType":"a/b","size":1}]}',
        'application/vnd.oci.image.index.v1+json',
      ],
    ])('of %s is MANIFEST_INVALID', async (_, document, type) => {
      const refused = await putManifest(base(), 'push/invalid', 'v1', document, type)
      expect(await ociError(refused)).toMatchObject({ status: 400, code: 'MANIFEST_INVALID' })
      expect((await fetch(`${base()}/v2/push/invalid/manifests/v1`)).status).toBe(404)
    })

    test('of 4 MiB is taken, of one byte more is 413 with and without a stated length', async () => {
      const { config, layer } = await pushImage(base(), 'push/large', 'v0', 'large')
      const limit = 4 * 1024 * 1024
      const padded = (size: number) => {
        const bare = manifestText(config, [layer], { annotations: { padding: '' } })
        return manifestText(config, [layer], { annotations: { padding: 'x'.repeat(size - bare.length) } })
      }
      expect((await putManifest(base(), 'push/large', 'v1', padded(limit))).status).toBe(201)
      expect((await fetch(`${base()}/v2/push/large/manifests/v1`)).headers.get('Content-Length')).toBe(String(limit))
      expect(await ociError(await putManifest(base(), 'push/large', 'v2', padded(limit + 1)))).toMatchObject({
        status: 413,
        code: 'SIZE_INVALID',
      })
      const streamed = await fetch(`${base()}/v2/push/large/manifests/v2`, {
        method: 'PUT',
        body: ReadableStream.from([new TextEncoder().encode(padded(limit)), new TextEncoder().encode(' ')]),
        headers: { 'Content-Type': ociManifestType },
        duplex: 'half',
      })
      expect(await ociError(streamed)).toMatchObject({ status: 413, code: 'SIZE_INVALID' })
    })
  })

  describe('a refusal', () => {
    const cid = 'bafybeifgiohmkpler4ehm574opdadrs6kk6u64x4geq2dnl4sxq6lvemzu'

    test.each([cid, 'a'.repeat(64), 'a'.repeat(128)])(
      'pushes to the content name %s are DENIED, every kind of them',
      async (name) => {
        const requests: [string, string][] = [
          ['POST', `/v2/${name}/blobs/uploads/`],
          ['POST', `/v2/${name}/blobs/uploads/?mount=${sha256('x')}&from=a/b`],
          ['PATCH', `/v2/${name}/blobs/uploads/x`],
          ['PUT', `/v2/${name}/blobs/uploads/x?digest=${sha256('x')}`],
          ['DELETE', `/v2/${name}/blobs/uploads/x`],
          ['PUT', `/v2/${name}/manifests/latest`],
        ]
        for (const [method, path] of requests) {
          expect(await ociError(await fetch(`${base()}${path}`, { method }))).toMatchObject({
            status: 403,
            code: 'DENIED',
          })
        }
        expect((await fetch(`${base()}/v2/${name}/manifests/latest`)).status).toBe(404)
      },
    )

    test('a name of two components is nobody’s content, though one looks like it', async () => {
      expect((await fetch(`${base()}/v2/mirror/${cid}/blobs/uploads/`, { method: 'POST' })).status).toBe(202)
    })

    test.each([
      ['POST', '/v2/Upper/blobs/uploads/', 400, 'NAME_INVALID'],
      ['GET', '/v2/a%2Fb/manifests/latest', 400, 'NAME_INVALID'],
      ['GET', '/v2/a//b/manifests/latest', 400, 'NAME_INVALID'],
      ['GET', `/v2/${'a/'.repeat(128)}a/manifests/latest`, 400, 'NAME_INVALID'],
      ['GET', '/v2/a/blobs/sha256:abc', 400, 'DIGEST_INVALID'],
      ['GET', '/v2/a/manifests/sha256:abc', 400, 'DIGEST_INVALID'],
      ['PUT', '/v2/a/manifests/-dash', 400, 'MANIFEST_INVALID'],
      ['DELETE', '/v2/', 405, 'UNSUPPORTED'],
      ['POST', '/v2/a/tags/list', 405, 'UNSUPPORTED'],
      ['PATCH', '/v2/a/manifests/latest', 405, 'UNSUPPORTED'],
      ['GET', '/v2/a/blobs/uploads/', 405, 'UNSUPPORTED'],
      ['GET', '/v2/a', 404, 'UNSUPPORTED'],
      ['GET', '/', 404, 'UNSUPPORTED'],
    ])('%s %s is %i %s', async (method, path, status, code) => {
      const response = await fetch(`${base()}${path}`, { method })
      expect(response.headers.get('Cache-Control')).toBe('no-store')
      expect(await ociError(response)).toMatchObject({ status, code })
      if (status === 405) expect(response.headers.get('Allow')).not.toBeNull()
    })
  })
}
