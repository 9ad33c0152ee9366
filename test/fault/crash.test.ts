// A push that crashes before or after any of its writes: every name that existed still pulls with the right digest, no
// digest has wrong bytes, and the push succeeds when it is repeated.

import { describe, expect, test } from 'vitest'
import { createFsBucket } from '../../origin/bucket/fs-bucket.ts'
import { systemRandom } from '../../origin/compose/system-ports.ts'
import { createFsUploads } from '../../origin/upload/fs-uploads.ts'
import type { RegistryApp } from '../../shared/http/registry-app.ts'
import { type KeyPrefix, parseBlobKey } from '../../shared/layout/keys.ts'
import type { Bucket } from '../../shared/ports/bucket.ts'
import type { Uploads } from '../../shared/ports/uploads.ts'
import { edgeApp, originApp } from '../support/apps.ts'
import { crashing } from '../support/bucket/crashing.ts'
import { manifestText, ociManifestType } from '../support/http-client.ts'
import { sha256 } from '../support/image.ts'
import { createMemoryBucket, type Objects } from '../support/bucket/memory-bucket.ts'
import { createMemoryUploads } from '../support/bucket/memory-uploads.ts'
import { temporaryFolder } from '../support/stack.ts'

const wait = { signal: new AbortController().signal }

interface World {
  readonly bucket: Bucket
  readonly uploads: Uploads
  remove(): Promise<void>
}

async function inMemory(): Promise<World> {
  const objects: Objects = new Map()
  return { bucket: createMemoryBucket(objects), uploads: createMemoryUploads(objects), remove: async () => {} }
}

async function inFolder(): Promise<World> {
  const { path: folder, remove } = await temporaryFolder()
  return {
    bucket: await createFsBucket({ folder, random: systemRandom }),
    uploads: createFsUploads({ folder }),
    remove,
  }
}

interface Image {
  readonly config: string
  readonly layers: readonly string[]
  readonly manifest: string
}

function image(seed: string): Image {
  const [config, layers] = [`{"seed":"${seed}"}`, [`first layer of ${seed}`, 'a layer that both have']]
  return { config, layers, manifest: manifestText(config, layers) }
}

/** As a client does it: each blob by another way, then the manifest. Throws where an answer is no success. */
async function push(app: RegistryApp, { config, layers, manifest }: Image): Promise<void> {
  const ask = async (method: string, path: string, body: string, headers: Record<string, string> = {}) => {
    const response = await app.request(path, { method, body, headers })
    if (!response.ok) throw new Error(`${method} ${path} was answered ${response.status}`)
    return response
  }
  await ask('POST', `/v2/some/name/blobs/uploads/?digest=${sha256(config)}`, config)
  for (const layer of layers) {
    const start = await ask('POST', '/v2/some/name/blobs/uploads/', '')
    const chunk = await ask('PATCH', start.headers.get('Location') ?? '', layer.slice(0, 5))
    await ask('PUT', `${chunk.headers.get('Location')}?digest=${sha256(layer)}`, layer.slice(5))
  }
  await ask('PUT', '/v2/some/name/manifests/latest', manifest, { 'Content-Type': ociManifestType })
}

async function tagAs(app: RegistryApp, tag: string, manifest: string): Promise<void> {
  const headers = { 'Content-Type': ociManifestType }
  expect((await app.request(`/v2/some/name/manifests/${tag}`, { method: 'PUT', body: manifest, headers })).status).toBe(
    201,
  )
}

/** Pulls a tag whole, through a fresh origin and a fresh edge; returns the manifest's digest. */
async function pull(world: World, reference: string): Promise<string> {
  const digests = await Promise.all(
    [originApp(world), edgeApp(world)].map(async (app) => {
      const response = await app.request(`/v2/some/name/manifests/${reference}`)
      const text = await response.text()
      expect([response.status, response.headers.get('Docker-Content-Digest')]).toEqual([200, sha256(text)])
      const { config, layers } = JSON.parse(text) as { config: { digest: string }; layers: { digest: string }[] }
      for (const { digest } of [config, ...layers]) {
        const blob = await app.request(`/v2/some/name/blobs/${digest}`)
        expect([blob.status, sha256(await blob.text())]).toEqual([200, digest])
      }
      return sha256(text)
    }),
  )
  expect(new Set(digests).size).toBe(1)
  return digests[0] ?? ''
}

/** Every object under a digest has that digest. */
async function expectNoWrongBytes(bucket: Bucket, prefix = 'docker/registry/v2/blobs/' as KeyPrefix): Promise<void> {
  for await (const { path, kind } of bucket.list(prefix, '', wait)) {
    if (kind === 'folder') {
      await expectNoWrongBytes(bucket, path as KeyPrefix)
      continue
    }
    const digest = parseBlobKey(path)
    const bytes = await bucket.read(path as Parameters<Bucket['read']>[0], 1_000_000, wait)
    expect(bytes && sha256(bytes)).toBe(digest)
  }
}

const [before, after] = [image('before'), image('after')]

describe.each([
  ['in memory', inMemory],
  ['in a folder', inFolder],
])('a push that crashes, %s', (_, makeWorld) => {
  test('at any moment leaves every name whole, and succeeds when repeated', async () => {
    let moments = 1
    for (let crashAt = 0; crashAt < moments; crashAt++) {
      const world = await makeWorld()
      await push(originApp(world), before)
      const crash = crashing(world.bucket, world.uploads, crashAt)
      await push(originApp(crash), after).then(
        () => (moments = crashAt),
        () => (moments = crashAt + 2),
      )
      const at = `crash ${crash.moments.at(-1)}`

      expect([sha256(before.manifest), sha256(after.manifest)], at).toContain(await pull(world, 'latest'))
      expect(await pull(world, sha256(before.manifest)), at).toBe(sha256(before.manifest))
      await expectNoWrongBytes(world.bucket)
      const tags = await originApp(world).request('/v2/some/name/tags/list')
      expect(await tags.json(), at).toEqual({ name: 'some/name', tags: ['latest'] })

      await push(originApp(world), after)
      expect(await pull(world, 'latest'), at).toBe(sha256(after.manifest))
      await world.remove()
    }
    // Three blobs and a manifest: no fewer writes than these were crashed at.
    expect(moments).toBeGreaterThan(30)
  })

  test('or a delete that does, leaves no tag without its manifest, and succeeds when repeated', async () => {
    let moments = 1
    for (let crashAt = 0; crashAt < moments; crashAt++) {
      const world = await makeWorld()
      await push(originApp(world), before)
      await push(originApp(world), after)
      for (const tag of ['old', 'older']) await tagAs(originApp(world), tag, before.manifest)
      const crash = crashing(world.bucket, world.uploads, crashAt)
      const path = `/v2/some/name/manifests/${sha256(before.manifest)}`
      const answer = await originApp(crash).request(path, { method: 'DELETE' })
      moments = answer.status === 202 ? crashAt : crashAt + 2
      const at = `crash ${crash.moments.at(-1)}`

      const origin = originApp(world)
      const { tags } = (await (await origin.request('/v2/some/name/tags/list')).json()) as { tags: string[] }
      for (const tag of tags)
        expect([sha256(before.manifest), sha256(after.manifest)], at).toContain(await pull(world, tag))
      expect(await pull(world, 'latest'), at).toBe(sha256(after.manifest))

      expect([202, 404], at).toContain((await origin.request(path, { method: 'DELETE' })).status)
      expect((await origin.request(path)).status, at).toBe(404)
      expect(await (await origin.request('/v2/some/name/tags/list')).json(), at).toEqual({
        name: 'some/name',
        tags: ['latest'],
      })
      await world.remove()
    }
    // Two tags with their history, and the revision link.
    expect(moments).toBeGreaterThan(8)
  })
})
