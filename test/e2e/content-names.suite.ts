// Content names: what is pushed to a repository can be pulled under its root's CID and under its digest, from every face.

import { describe, expect, test } from 'vitest'
import {
  ociError,
  ociIndexType,
  pushBlob,
  pushImage,
  putManifest,
  startUpload,
  withDigest,
} from '../support/http-client.ts'
import { sha256 } from '../support/image.ts'
import { imageVectors, type ImageVector } from '../support/ipfs/ipfs-vectors.ts'

const [aVector] = imageVectors as readonly [ImageVector, ...ImageVector[]]

/** @param base gives the URL of the registry under test once it runs */
export function contentNamesSuite(base: () => string): void {
  const get = (path: string, init: RequestInit = {}) => fetch(`${base()}${path}`, init)

  describe.each(imageVectors.map((image, at) => [image.name, image, `rooted/image-${at}`] as const))(
    'the image of the vector "%s"',
    (_, image, name) => {
      test('is pushed, and told its root', async () => {
        const answer = await pushVector(base(), name, image)
        expect(answer.headers.get('X-Ipfs-Path')).toBe(`/ipfs/${image.root}`)
        for (const reference of ['v1', image.manifestDigest]) {
          const pulled = await get(`/v2/${name}/manifests/${reference}`)
          expect([pulled.status, pulled.headers.get('X-Ipfs-Path')]).toEqual([200, `/ipfs/${image.root}`])
        }
      })

      test.each([
        ['root', image.root],
        ['digest', hexOf(image.manifestDigest)],
      ])('is pulled under its %s, all of it', async (_, contentName) => {
        const byTag = await get(`/v2/${contentName}/manifests/latest`)
        expect([byTag.status, byTag.headers.get('Docker-Content-Digest'), byTag.headers.get('X-Ipfs-Path')]).toEqual([
          200,
          image.manifestDigest,
          `/ipfs/${image.root}`,
        ])
        expect(await bytesOf(byTag)).toBe(hashOf(image.contents.get(image.manifestDigest)))
        for (const [digest, bytes] of image.contents) {
          const [asManifest, asBlob] = [isManifest(image, digest), isBlob(image, digest)]
          const manifest = await get(`/v2/${contentName}/manifests/${digest}`)
          expect([digest, manifest.status]).toEqual([digest, asManifest ? 200 : 404])
          if (asManifest) expect(await bytesOf(manifest)).toBe(hashOf(bytes))
          const blob = await get(`/v2/${contentName}/blobs/${digest}`)
          expect([digest, blob.status]).toEqual([digest, asBlob ? 200 : 404])
          if (asBlob) expect(await bytesOf(blob)).toBe(hashOf(bytes))
          const head = await get(`/v2/${contentName}/blobs/${digest}`, { method: 'HEAD' })
          expect(head.status).toBe(asBlob ? 200 : 404)
          if (asBlob) expect(head.headers.get('Content-Length')).toBe(String(bytes.byteLength))
        }
      })

      test('has the tag latest under its root, and under its digest the root as well', async () => {
        const tags = async (contentName: string) =>
          ((await (await get(`/v2/${contentName}/tags/list`)).json()) as { tags: string[] }).tags
        expect(await tags(image.root)).toEqual(['latest'])
        expect(await tags(hexOf(image.manifestDigest))).toEqual([image.root, 'latest'])
        const byRoot = await get(`/v2/${hexOf(image.manifestDigest)}/manifests/${image.root}`)
        expect(byRoot.headers.get('Docker-Content-Digest')).toBe(image.manifestDigest)
        expect((await get(`/v2/${image.root}/manifests/v1`)).status).toBe(404)
      })
    },
  )

  test('content names are in no catalog', async () => {
    const { repositories } = (await (await get('/v2/_catalog')).json()) as { repositories: string[] }
    expect(repositories.filter((name) => name.startsWith('rooted/')).length).toBe(imageVectors.length)
    expect(repositories.filter((name) => /^bafy|^[0-9a-f]{64}/.test(name))).toEqual([])
  })

  test('what is in the bucket but not in the image is not in its view', async () => {
    const stranger = await pushBlob(base(), 'rooted/other', 'not of this image')
    const { root } = aVector
    for (const kind of ['blobs', 'manifests']) expect((await get(`/v2/${root}/${kind}/${stranger}`)).status).toBe(404)
  })

  test.each(['latest', sha256('digest')])(
    'nobody pushes %s to a content name, and nobody deletes there',
    async (at) => {
      const { root, manifestDigest } = aVector
      const digest = sha256('x')
      for (const name of [root, hexOf(manifestDigest), 'a'.repeat(128)]) {
        const answers = [
          await get(`/v2/${name}/manifests/${at}`, { method: 'PUT', body: '{}' }),
          await get(`/v2/${name}/manifests/${at}`, { method: 'DELETE' }),
          await get(`/v2/${name}/blobs/uploads/`, { method: 'POST' }),
          await get(`/v2/${name}/blobs/uploads/?mount=${digest}&from=rooted/other`, { method: 'POST' }),
          await get(`/v2/${name}/blobs/uploads/?digest=${digest}`, { method: 'POST', body: 'x' }),
          await get(`/v2/${name}/blobs/uploads/1-2`, { method: 'PATCH', body: 'x' }),
          await get(`/v2/${name}/blobs/uploads/1-2?digest=${digest}`, { method: 'PUT', body: 'x' }),
          await get(`/v2/${name}/blobs/${digest}`, { method: 'DELETE' }),
        ]
        for (const answer of answers) expect((await ociError(answer)).code).toBe('DENIED')
      }
    },
  )

  test('an index that names what its repository does not have has no root; pushed again when it has, it has one', async () => {
    const child = await pushImage(base(), 'rooted/child', 'v1', 'only here')
    const entry = {
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest: child.digest,
      size: child.manifest.length,
    }
    const index = JSON.stringify({ schemaVersion: 2, mediaType: ociIndexType, manifests: [entry] })
    const push = () => putManifest(base(), 'rooted/parent', 'v1', index, ociIndexType)
    const sparse = await push()
    expect([sparse.status, sparse.headers.get('X-Ipfs-Path')]).toEqual([201, null])
    expect((await get(`/v2/${hexOf(sha256(index))}/manifests/latest`)).status).toBe(404)
    await pushImage(base(), 'rooted/parent', 'child', 'only here')
    const whole = await push()
    const path = whole.headers.get('X-Ipfs-Path')
    expect([whole.status, path]).toEqual([201, expect.stringMatching(/^\/ipfs\/bafybei/)])
    expect((await get(`/v2/${path?.split('/').at(-1)}/manifests/latest`)).headers.get('Docker-Content-Digest')).toBe(
      sha256(index),
    )
  })

  test('a view lasts as long as some repository has the manifest', async () => {
    const { digest } = await pushImage(base(), 'rooted/one', 'v1', 'shared between two')
    await pushImage(base(), 'rooted/two', 'v1', 'shared between two')
    const view = `/v2/${hexOf(digest)}/manifests/latest`
    const deleteFrom = async (name: string) =>
      expect((await get(`/v2/${name}/manifests/${digest}`, { method: 'DELETE' })).status).toBe(202)
    await deleteFrom('rooted/one')
    expect((await get(view)).status).toBe(200)
  })
}

/** Pushes all of an image and returns the answer to its manifest. */
export async function pushVector(base: string, name: string, image: ImageVector): Promise<Response> {
  for (const [digest, bytes] of image.contents) if (isBlob(image, digest)) await pushBlobAs(base, name, digest, bytes)
  let last: Response | undefined
  // Children come before the index that lists them.
  for (const { digest, bytes } of [...image.manifests].sort((a) => (a.digest === image.manifestDigest ? 1 : -1))) {
    const reference = digest === image.manifestDigest && digest.startsWith('sha256') ? 'v1' : `${digest}?tag=v1`
    last = await fetch(`${base}/v2/${name}/manifests/${reference}`, { method: 'PUT', body: bytes })
    if (last.status !== 201) throw new Error(`${digest} was answered ${last.status}: ${await last.text()}`)
  }
  if (last === undefined) throw new Error('the image has no manifest')
  return last
}

/** What came, in few characters. */
async function bytesOf(answer: Response): Promise<string> {
  return hashOf(new Uint8Array(await answer.arrayBuffer()))
}

function hashOf(bytes: Uint8Array | undefined): string {
  return sha256(bytes ?? '')
}

/** With whatever algorithm the digest is of. */
async function pushBlobAs(base: string, name: string, digest: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  const url = withDigest(await startUpload(base, name), digest)
  const answer = await fetch(url, { method: 'PUT', body: bytes })
  if (answer.status !== 201) throw new Error(`${digest} was answered ${answer.status}: ${await answer.text()}`)
}

function hexOf(digest: string): string {
  return digest.slice(digest.indexOf(':') + 1)
}

function isManifest(image: ImageVector, digest: string): boolean {
  return image.manifests.some((each) => each.digest === digest)
}

/** Whether some manifest of the image names it as a blob. */
function isBlob(image: ImageVector, digest: string): boolean {
  return image.manifests.some(({ bytes }) => {
    const { config, layers, manifests } = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, Entry[]> & {
      config?: Entry
    }
    const entries = [...(config === undefined ? [] : [config]), ...(layers ?? [])]
    return [...entries, ...(manifests ?? []).filter(({ mediaType }) => !/manifest|index/.test(mediaType))].some(
      (entry) => entry.digest === digest,
    )
  })
}

interface Entry {
  readonly digest: string
  readonly mediaType: string
}
