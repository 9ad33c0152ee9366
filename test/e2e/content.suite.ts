// Referrers, deletes, the catalog and tags that go with a push by digest, the same at the origin and at every edge.

import { describe, expect, test } from 'vitest'
import {
  manifestText,
  ociError,
  ociIndexType,
  ociManifestType,
  pushBlob,
  pushImage,
  putManifest,
} from '../support/http-client.ts'
import { sha256 } from '../support/image.ts'

interface Descriptor {
  readonly digest: string
  readonly mediaType: string
  readonly size: number
  readonly artifactType?: string
  readonly annotations?: Record<string, string>
}

/** @param base gives the URL of the registry under test once it runs */
export function contentSuite(base: () => string): void {
  const get = (path: string, init: RequestInit = {}) => fetch(`${base()}${path}`, init)
  const remove = (path: string) => get(path, { method: 'DELETE' })
  const referrersOf = async (name: string, subject: string, query = '') => {
    const response = await get(`/v2/${name}/referrers/${subject}${query}`)
    expect([response.status, response.headers.get('Content-Type')]).toEqual([200, ociIndexType])
    const index = (await response.json()) as { schemaVersion: number; mediaType: string; manifests: Descriptor[] }
    expect([index.schemaVersion, index.mediaType]).toEqual([2, ociIndexType])
    return { response, manifests: index.manifests }
  }
  const subjectField = (digest: string) => ({ mediaType: ociManifestType, digest, size: 1 })

  /** Pushes an artifact about a subject; returns its text. */
  async function pushArtifact(name: string, subject: string, extra: object): Promise<string> {
    await pushBlob(base(), name, '{}')
    const manifest = manifestText('{}', [], { subject: subjectField(subject), ...extra })
    const response = await putManifest(base(), name, sha256(manifest), manifest)
    expect([response.status, response.headers.get('OCI-Subject')]).toEqual([201, subject])
    return manifest
  }

  describe('referrers', () => {
    test('of a subject are those pushed before it and after it, with type and annotations', async () => {
      const [name, layer] = ['refer/both', 'layer']
      await pushBlob(base(), name, '{}')
      await pushBlob(base(), name, layer)
      const subject = manifestText('{}', [layer])
      const early = await pushArtifact(name, sha256(subject), {
        artifactType: 'application/x.early',
        annotations: { a: 'b' },
      })
      await putManifest(base(), name, 'v1', subject)
      const late = await pushArtifact(name, sha256(subject), { annotations: { late: 'yes' } })
      const { response, manifests } = await referrersOf(name, sha256(subject))
      expect(response.headers.get('OCI-Filters-Applied')).toBeNull()
      const byDigest = new Map(manifests.map((each) => [each.digest, each]))
      expect(byDigest.get(sha256(early))).toEqual({
        mediaType: ociManifestType,
        digest: sha256(early),
        size: early.length,
        artifactType: 'application/x.early',
        annotations: { a: 'b' },
      })
      // Without an artifactType the config's media type stands for it.
      expect(byDigest.get(sha256(late))?.artifactType).toBe('application/vnd.oci.image.config.v1+json')
      expect(manifests.length).toBe(2)
    })

    test('of what nobody refers to, or is not there, are an empty list', async () => {
      for (const name of ['refer/none', 'refer/both'])
        expect((await referrersOf(name, sha256('nothing'))).manifests).toEqual([])
    })

    test('are filtered by artifactType, and the answer says so', async () => {
      const [name, subject] = ['refer/filter', sha256('filtered')]
      for (const type of ['application/x.one', 'application/x.two'])
        await pushArtifact(name, subject, { artifactType: type })
      const { response, manifests } = await referrersOf(name, subject, '?artifactType=application/x.two')
      expect(response.headers.get('OCI-Filters-Applied')).toBe('artifactType')
      expect(manifests.map(({ artifactType }) => artifactType)).toEqual(['application/x.two'])
    })

    test('come in pages of at most 40 that Link to the next, the filter kept', async () => {
      const [name, subject] = ['refer/pages', sha256('many')]
      const pushed = await Promise.all(
        Array.from({ length: 45 }, (_, at) =>
          pushArtifact(name, subject, { artifactType: 'application/x.many', annotations: { at: String(at) } }),
        ),
      )
      const seen: string[] = []
      let path: string | undefined = `/v2/${name}/referrers/${subject}?artifactType=application/x.many`
      while (path !== undefined) {
        const response: Response = await get(path)
        const { manifests } = (await response.json()) as { manifests: Descriptor[] }
        expect(manifests.length).toBeLessThanOrEqual(40)
        seen.push(...manifests.map(({ digest }) => digest))
        path = /^<([^>]+)>; rel="next"$/.exec(response.headers.get('Link') ?? '')?.[1]
        if (path !== undefined) expect(path).toContain('artifactType=')
      }
      expect(seen.toSorted()).toEqual(pushed.map((manifest) => sha256(manifest)).toSorted())
    })

    test('listed under the fallback tag by an older client are merged, each once', async () => {
      const [name, subject] = ['refer/fallback', sha256('older client')]
      const known = await pushArtifact(name, subject, { artifactType: 'application/x.known' })
      const older = manifestText('{}', [], { annotations: { older: 'client' } })
      await putManifest(base(), name, sha256(older), older)
      const entry = (text: string, artifactType: string) => ({
        mediaType: ociManifestType,
        digest: sha256(text),
        size: text.length,
        artifactType,
      })
      const manifests = [
        entry(known, 'application/x.stale'),
        entry(older, 'application/x.older'),
        entry('never pushed', 'application/x.gone'),
      ]
      const fallback = JSON.stringify({ schemaVersion: 2, mediaType: ociIndexType, manifests })
      expect((await putManifest(base(), name, subject.replace(':', '-'), fallback, ociIndexType)).status).toBe(201)
      const merged = (await referrersOf(name, subject)).manifests
      expect(merged.map(({ artifactType = '' }) => artifactType).toSorted()).toEqual([
        'application/x.known',
        'application/x.older',
      ])
    })

    test('are asked for by a digest: anything else is refused', async () => {
      expect(await ociError(await get('/v2/refer/both/referrers/latest'))).toMatchObject({
        status: 400,
        code: 'DIGEST_INVALID',
      })
    })
  })

  describe('a delete', () => {
    test('of a tag takes the tag, and leaves the manifest and its other tags', async () => {
      const image = await pushImage(base(), 'delete/tag', 'v1', 'delete tag')
      await putManifest(base(), 'delete/tag', 'v2', image.manifest)
      expect((await remove('/v2/delete/tag/manifests/v1')).status).toBe(202)
      expect(await ociError(await get('/v2/delete/tag/manifests/v1'))).toMatchObject({
        status: 404,
        code: 'MANIFEST_UNKNOWN',
      })
      for (const reference of ['v2', image.digest])
        expect((await get(`/v2/delete/tag/manifests/${reference}`)).status).toBe(200)
      expect(await (await get('/v2/delete/tag/tags/list')).json()).toEqual({ name: 'delete/tag', tags: ['v2'] })
      expect(await ociError(await remove('/v2/delete/tag/manifests/v1'))).toMatchObject({
        status: 404,
        code: 'MANIFEST_UNKNOWN',
      })
    })

    test('of a manifest takes every tag that names it, and no other', async () => {
      const image = await pushImage(base(), 'delete/manifest', 'v1', 'delete manifest')
      for (const tag of ['v2', 'latest']) await putManifest(base(), 'delete/manifest', tag, image.manifest)
      const other = await pushImage(base(), 'delete/manifest', 'latest', 'another')
      expect((await remove(`/v2/delete/manifest/manifests/${image.digest}`)).status).toBe(202)
      for (const reference of ['v1', 'v2', image.digest]) {
        expect((await get(`/v2/delete/manifest/manifests/${reference}`)).status).toBe(404)
      }
      expect((await get('/v2/delete/manifest/manifests/latest')).headers.get('Docker-Content-Digest')).toBe(
        other.digest,
      )
      expect((await remove(`/v2/delete/manifest/manifests/${image.digest}`)).status).toBe(404)
      // What was deleted can be pushed again.
      expect((await putManifest(base(), 'delete/manifest', 'v1', image.manifest)).status).toBe(201)
      expect((await get('/v2/delete/manifest/manifests/v1')).status).toBe(200)
    })

    test('of a referrer takes it from its subject’s list', async () => {
      const [name, subject] = ['delete/referrer', sha256('referred to')]
      const [one, two] = [
        await pushArtifact(name, subject, { annotations: { n: '1' } }),
        await pushArtifact(name, subject, { annotations: { n: '2' } }),
      ]
      expect((await remove(`/v2/${name}/manifests/${sha256(one)}`)).status).toBe(202)
      expect((await referrersOf(name, subject)).manifests.map(({ digest }) => digest)).toEqual([sha256(two)])
    })

    test('of a blob takes it from this repository and no other, and is seen at once', async () => {
      const digest = await pushBlob(base(), 'delete/blob', 'deleted here')
      await pushBlob(base(), 'delete/other', 'deleted here')
      expect((await get(`/v2/delete/blob/blobs/${digest}`)).status).toBe(200)
      expect((await remove(`/v2/delete/blob/blobs/${digest}`)).status).toBe(202)
      expect(await ociError(await get(`/v2/delete/blob/blobs/${digest}`))).toMatchObject({
        status: 404,
        code: 'BLOB_UNKNOWN',
      })
      expect(await (await get(`/v2/delete/other/blobs/${digest}`)).text()).toBe('deleted here')
      expect((await remove(`/v2/delete/blob/blobs/${digest}`)).status).toBe(404)
      await pushBlob(base(), 'delete/blob', 'deleted here')
      expect((await get(`/v2/delete/blob/blobs/${digest}`)).status).toBe(200)
    })

    test('under a content name is DENIED', async () => {
      for (const path of [`manifests/latest`, `manifests/${sha256('x')}`, `blobs/${sha256('x')}`]) {
        expect(await ociError(await remove(`/v2/${'a'.repeat(64)}/${path}`))).toMatchObject({
          status: 403,
          code: 'DENIED',
        })
      }
    })
  })

  describe('the catalog', () => {
    test('has every repository that holds a manifest, sorted, in pages', async () => {
      for (const name of ['catalog/a', 'catalog/a/b', 'catalog/a-b', 'catalog/b'])
        await pushImage(base(), name, 'v1', name)
      await pushBlob(base(), 'catalog/blob-only', 'no manifest')
      const gone = await pushImage(base(), 'catalog/gone', 'v1', 'gone')
      await remove(`/v2/catalog/gone/manifests/${gone.digest}`)
      const collected: string[] = []
      let path: string | undefined = '/v2/_catalog?n=2'
      while (path !== undefined) {
        const response: Response = await get(path)
        const { repositories } = (await response.json()) as { repositories: string[] }
        expect(repositories.length).toBeLessThanOrEqual(2)
        collected.push(...repositories)
        path = /^<([^>]+)>; rel="next"$/.exec(response.headers.get('Link') ?? '')?.[1]
      }
      expect(collected.filter((name) => name.startsWith('catalog/'))).toEqual([
        'catalog/a',
        'catalog/a-b',
        'catalog/a/b',
        'catalog/b',
      ])
      expect(collected).toEqual(collected.toSorted())
      expect(await (await get('/v2/_catalog')).json()).toEqual({ repositories: collected })
    })
  })

  describe('a push by digest', () => {
    test('sets the tags in its query, and says which', async () => {
      const image = await pushImage(base(), 'push/tags', 'v0', 'tags in the query')
      const response = await putManifest(
        base(),
        'push/tags',
        `${image.digest}?tag=1.2.3&tag=1.2&tag=latest`,
        image.manifest,
      )
      expect([response.status, response.headers.get('OCI-Tag')]).toEqual([201, '1.2.3, 1.2, latest'])
      for (const tag of ['1.2.3', '1.2', 'latest']) {
        expect((await get(`/v2/push/tags/manifests/${tag}`)).headers.get('Docker-Content-Digest')).toBe(image.digest)
      }
    })

    test('with a tag that is none, or with too many, is refused and sets none', async () => {
      const image = await pushImage(base(), 'push/bad-tags', 'v0', 'bad tags in the query')
      const push = (query: string) => putManifest(base(), 'push/bad-tags', `${image.digest}?${query}`, image.manifest)
      expect((await push('tag=good&tag=-bad')).status).toBe(400)
      expect((await push(Array.from({ length: 101 }, (_, at) => `tag=t${at}`).join('&'))).status).toBe(414)
      expect(await (await get('/v2/push/bad-tags/tags/list')).json()).toEqual({ name: 'push/bad-tags', tags: ['v0'] })
    })

    test('of an index whose manifests are not there is taken: a sparse index', async () => {
      const child = { mediaType: ociManifestType, digest: sha256('not there'), size: 9 }
      const index = JSON.stringify({ schemaVersion: 2, mediaType: ociIndexType, manifests: [child] })
      expect((await putManifest(base(), 'push/sparse', 'v1', index, ociIndexType)).status).toBe(201)
    })
  })
}
