// What a client that pushes manifests sees, the same at the origin and through every edge.

import { describe, expect, test } from 'vitest'
import { locationOf, manifestText, ociError, ociManifestType, pushImage, putManifest } from '../support/http-client.ts'
import { sha256 } from '../support/image.ts'

export function pushManifestsSuite(base: () => string): void {
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
}
