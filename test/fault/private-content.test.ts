// What is private stays private: in no view, in no block, under no root of a stranger's making; and opening and closing a
// repository shows and hides it.

import { describe, expect, test } from 'vitest'
import { cidOfSmallBlob, parseCid } from '../../shared/ipfs/cid.ts'
import type { Cid } from '../../shared/protocol/cid.ts'
import type { Digest } from '../../shared/protocol/digest.ts'
import { manifestText, ociError } from '../support/http-client.ts'
import { sha256 } from '../support/image.ts'
import { createRegistry, pushTo, putTo, sourceOf } from '../support/ipfs/ipfs-world.ts'

const wait = { signal: new AbortController().signal }
const closed = { anonymous: 'push', delete: true, fetch: true, private: ['team/**'] } as const
const access = { ...closed, private: [...closed.private] }
const secret = 'a secret layer '.repeat(100)
const cidOf = (text: string) => parseCid(text) as Cid
const faces = ['origin', 'edge'] as const

describe('a repository that was closed', () => {
  test.each(faces)('is denied at the %s to pulls and pushes, and is in no catalog', async (face) => {
    const before = createRegistry()
    const image = await pushTo(before.origin, 'team/app', [secret])
    const after = createRegistry({ objects: before.objects, access })
    for (const path of [
      `manifests/latest`,
      `manifests/${image.digest}`,
      `blobs/${sha256(secret)}`,
      'tags/list',
      `referrers/${image.digest}`,
    ]) {
      const answer = await after[face].request(`/v2/team/app/${path}`)
      expect([path, (await ociError(answer)).code]).toEqual([path, 'DENIED'])
    }
    const push = await after[face].request('/v2/team/app/blobs/uploads/', { method: 'POST' })
    expect((await ociError(push)).code).toBe('DENIED')
    const catalog = await after[face].request('/v2/_catalog')
    expect(await catalog.json()).toEqual({ repositories: [] })
  })

  test.each(faces)('has no view at the %s and no blocks; opened again it has both', async (face) => {
    const open = createRegistry()
    const image = await pushTo(open.origin, 'team/app', [secret])
    const shut = createRegistry({ objects: open.objects, access })
    for (const name of [image.root, image.digest.slice('sha256:'.length)]) {
      expect((await open[face].request(`/v2/${name}/manifests/latest`)).status).toBe(200)
      expect((await shut[face].request(`/v2/${name}/manifests/latest`)).status).toBe(404)
      expect((await shut[face].request(`/v2/${name}/blobs/${sha256(secret)}`)).status).toBe(404)
    }
    expect(await open.blocks.get(cidOf(image.root), wait)).toBeDefined()
    expect(await shut.blocks.get(cidOf(image.root), wait)).toBeUndefined()
    const again = createRegistry({ objects: shut.objects })
    expect(await again.blocks.get(cidOf(image.root), wait)).toBeDefined()
    expect((await again[face].request(`/v2/${image.root}/manifests/latest`)).status).toBe(200)
  })

  test('shares its image with an open one: the view is there, and the closed one tells of no root', async () => {
    const open = createRegistry()
    const image = await pushTo(open.origin, 'team/app', [secret])
    await pushTo(open.origin, 'public/app', [secret])
    const shut = createRegistry({ objects: open.objects, access })
    expect((await shut.origin.request(`/v2/${image.root}/manifests/latest`)).status).toBe(200)
  })
})

describe('a stranger who knows the digest of a private layer', () => {
  test('cannot name it in a manifest, nor mount it', async () => {
    const before = createRegistry()
    await pushTo(before.origin, 'team/app', [secret])
    const { origin } = createRegistry({ objects: before.objects, access })
    const config = '{}'
    await origin.request(`/v2/stranger/app/blobs/uploads/?digest=${sha256(config)}`, { method: 'POST', body: config })
    const put = await putTo(origin, 'stranger/app', 'latest', manifestText(config, [secret]))
    expect((await ociError(put)).code).toBe('MANIFEST_BLOB_UNKNOWN')
    for (const from of ['', '&from=team/app']) {
      const mount = await origin.request(`/v2/stranger/app/blobs/uploads/?mount=${sha256(secret)}${from}`, {
        method: 'POST',
      })
      expect(mount.status).toBe(202)
    }
  })

  test('gives no root to an index over a private manifest', async () => {
    const before = createRegistry()
    const image = await pushTo(before.origin, 'team/app', [secret])
    const { origin } = createRegistry({ objects: before.objects, access })
    const entry = {
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest: image.digest,
      size: image.manifest.length,
    }
    const index = JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests: [entry],
    })
    const put = await putTo(origin, 'stranger/app', 'latest', index)
    expect([put.status, put.headers.get('X-Ipfs-Path')]).toEqual([201, null])
  })

  test('and makes a root that names it gets no byte of it from the bucket: they come from outside, or not at all', async () => {
    // The stranger's own registry has the same image, so that the root is a true one.
    const elsewhere = createRegistry()
    const image = await pushTo(elsewhere.origin, 'some/app', [secret])
    const before = createRegistry()
    await pushTo(before.origin, 'team/app', [secret])

    const layer = cidOfSmallBlob(sha256(secret) as Digest, secret.length)
    let gone = true
    const source = sourceOf({
      get: async (cid, wait) => (gone && cid === layer ? undefined : elsewhere.blocks.get(cid, wait)),
    })
    const { origin, edge } = createRegistry({ objects: before.objects, access, sources: [source] })
    expect((await origin.request(`/v2/${image.root}/manifests/latest`)).status).toBe(200)
    for (const app of [origin, edge])
      expect((await app.request(`/v2/${image.root}/blobs/${sha256(secret)}`)).status).toBe(404)
    gone = false
    const fetched = await origin.request(`/v2/${image.root}/blobs/${sha256(secret)}`)
    expect([fetched.status, await fetched.text()]).toEqual([200, secret])
    // Once it came from outside, it is no secret of this bucket's any more.
    gone = true
    const again = await edge.request(`/v2/${image.root}/blobs/${sha256(secret)}`)
    expect([again.status, await again.text()]).toEqual([200, secret])
  })
})
