// The edge when a part it depends on fails: what still goes, what is refused and how.

import { describe, expect, test } from 'vitest'
import { createMemoryCache } from '../../shared/edge/memory-cache.ts'
import { blobKey, layerLinkKey, linkContent, tagLinkKey } from '../../shared/layout/keys.ts'
import type { BucketReader } from '../../shared/ports/bucket.ts'
import { digestOf, parseDigest } from '../../shared/protocol/digest.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import type { RepositoryName, Tag } from '../../shared/protocol/names.ts'
import { edgeApp, fetchOf, originApp } from '../support/apps.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { manifestText, ociManifestType } from '../support/http-client.ts'
import { sha256 } from '../support/image.ts'
import { createMemoryBucket, type Objects } from '../support/bucket/memory-bucket.ts'
import { createMemoryUploads } from '../support/bucket/memory-uploads.ts'

const name = 'some/name' as RepositoryName

async function world() {
  const objects: Objects = new Map()
  const bucket = createMemoryBucket(objects)
  const origin = originApp({ bucket, uploads: createMemoryUploads(objects) })
  const manifest = manifestText('config', ['layer'])
  for (const blob of ['config', 'layer']) {
    await origin.request(`/v2/${name}/blobs/uploads/?digest=${sha256(blob)}`, { method: 'POST', body: blob })
  }
  const push = (tag: string) =>
    origin.request(`/v2/${name}/manifests/${tag}`, {
      method: 'PUT',
      body: manifest,
      headers: { 'Content-Type': ociManifestType },
    })
  await push('v1')
  return { objects, bucket, origin, manifest, digest: sha256(manifest), push }
}

/** A bucket that can be switched to fail or to hang. */
function unreliable(bucket: BucketReader): BucketReader & { state: 'well' | 'failing' | 'hanging' } {
  const guard = async <Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result> => {
    if (it.state === 'failing') throw new UpstreamError('bucket', 'out of order')
    if (it.state === 'hanging') {
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
    }
    return work()
  }
  const it: BucketReader & { state: 'well' | 'failing' | 'hanging' } = {
    state: 'well',
    head: (key, wait) => guard(wait.signal, () => bucket.head(key, wait)),
    read: (key, limit, wait) => guard(wait.signal, () => bucket.read(key, limit, wait)),
    open: (key, range, wait) => guard(wait.signal, () => bucket.open(key, range, wait)),
    async *list(prefix, after, wait) {
      await guard(wait.signal, async () => undefined)
      yield* bucket.list(prefix, after, wait)
    },
  }
  return it
}

describe('with the bucket in error, the edge', () => {
  test('answers manifests it has served before, by tag and digest, and says that they may be old', async () => {
    const { bucket, manifest, digest } = await world()
    const flaky = unreliable(bucket)
    const edge = edgeApp({ bucket: flaky })
    await edge.request(`/v2/${name}/manifests/v1`)
    flaky.state = 'failing'
    for (const reference of ['v1', digest]) {
      const response = await edge.request(`/v2/${name}/manifests/${reference}`)
      expect([response.status, await response.text()]).toEqual([200, manifest])
      expect(response.headers.get('Warning')).toMatch(/^110 /)
      expect(response.headers.get('Server-Timing')).toMatch(/^last-known/)
    }
    flaky.state = 'well'
    expect((await edge.request(`/v2/${name}/manifests/v1`)).headers.get('Warning')).toBeNull()
  })

  test('never answers for a repository that was not seen to have the manifest', async () => {
    const { bucket, digest } = await world()
    const flaky = unreliable(bucket)
    const edge = edgeApp({ bucket: flaky })
    await edge.request(`/v2/${name}/manifests/v1`)
    expect((await edge.request(`/v2/strange/name/manifests/${digest}`)).status).toBe(404)
    flaky.state = 'failing'
    expect((await edge.request(`/v2/strange/name/manifests/${digest}`)).status).toBe(503)
  })

  test.each(['failing', 'hanging'] as const)(
    '(%s) answers 503 with Retry-After for all it does not know',
    async (state) => {
      const { bucket, digest } = await world()
      const clock = createFakeClock()
      const flaky = unreliable(bucket)
      const edge = edgeApp({ bucket: flaky, clock })
      flaky.state = state
      for (const path of [`manifests/v1`, `manifests/${digest}`, `blobs/${sha256('layer')}`, 'tags/list']) {
        const answer = edge.request(`/v2/${name}/${path}`)
        // The deadline is set once the request is under way.
        if (state === 'hanging') await clock.untilArmed()
        clock.advance(1000)
        const response = await answer
        expect([response.status, response.headers.get('Retry-After')]).toEqual([503, '5'])
        expect(((await response.json()) as { errors: { code: string }[] }).errors[0]?.code).toBe('UNAVAILABLE')
      }
    },
  )

  test('still redirects to blobs it found within the last minute', async () => {
    const { bucket } = await world()
    const clock = createFakeClock()
    const flaky = unreliable(bucket)
    const edge = edgeApp({ bucket: flaky, clock, links: { link: async (key) => `http://bucket.test/${key}` } })
    const path = `/v2/${name}/blobs/${sha256('layer')}`
    expect((await edge.request(path)).status).toBe(307)
    flaky.state = 'failing'
    expect((await edge.request(path)).status).toBe(307)
    clock.advance(60_001)
    expect((await edge.request(path)).status).toBe(503)
  })

  test('a damaged tag link is a fault of the bucket, not a missing tag', async () => {
    const { objects, bucket } = await world()
    objects.set(tagLinkKey(name, 'v1' as Tag), new TextEncoder().encode('not a digest'))
    expect((await edgeApp({ bucket }).request(`/v2/${name}/manifests/v1`)).status).toBe(503)
  })

  test('damaged manifest bytes are served from nowhere and kept nowhere', async () => {
    const { objects, bucket, digest } = await world()
    const memory = createMemoryCache(1024 * 1024)
    const parsed = parseDigest(digest)
    if (parsed === undefined) throw new Error('no digest')
    objects.set(blobKey(parsed), new TextEncoder().encode('{"damaged":true}'))
    const edge = edgeApp({ bucket, memory })
    for (const reference of ['v1', digest])
      expect((await edge.request(`/v2/${name}/manifests/${reference}`)).status).toBe(503)
    expect(await memory.manifest(name, parsed)).toBeUndefined()
  })
})

describe('what the edge lacks it asks the origin for', () => {
  test('content names, which the origin may know', async () => {
    const { bucket, origin } = await world()
    const asked: string[] = []
    const fetch = async (url: URL, init: RequestInit) => {
      asked.push(`${init.method} ${url.pathname}`)
      return fetchOf(origin)(url, init)
    }
    const path = `/v2/${'a'.repeat(64)}/manifests/latest`
    expect((await edgeApp({ bucket, fetch }).request(path)).status).toBe(404)
    expect(asked).toEqual([`GET ${path}`])
  })

  test('bytes that are linked but gone; they stream from there, with length and digest', async () => {
    const { objects, bucket, origin } = await world()
    const layer = await digestOf(new TextEncoder().encode('layer'))
    const bytes = objects.get(blobKey(layer))
    const lacking = createMemoryBucket(new Map([...objects].filter(([key]) => key !== blobKey(layer))))
    expect(bytes).toBeDefined()
    const response = await edgeApp({ bucket: lacking, fetch: fetchOf(origin) }).request(`/v2/${name}/blobs/${layer}`)
    expect([response.status, await response.text()]).toEqual([200, 'layer'])
    expect(response.headers.get('Content-Length')).toBe('5')
    expect(response.headers.get('Docker-Content-Digest')).toBe(layer)
    expect(bucket).toBeDefined()
  })

  test('nobody is asked for what was not pushed here', async () => {
    const { bucket } = await world()
    const fetch = () => Promise.reject(new Error('the origin was asked'))
    const edge = edgeApp({ bucket, fetch })
    for (const path of ['manifests/none', `manifests/${sha256('none')}`, `blobs/${sha256('none')}`]) {
      expect((await edge.request(`/v2/${name}/${path}`)).status).toBe(404)
    }
  })

  test('with the origin gone or hanging, a push and a miss are 503, and what was pushed is served', async () => {
    const { bucket, manifest } = await world()
    const clock = createFakeClock()
    let asked = Promise.withResolvers<void>()
    const hangs = (_: URL, init: RequestInit) =>
      new Promise<Response>((_, reject) => {
        init.signal?.addEventListener('abort', () => reject(init.signal?.reason))
        asked.resolve()
      })
    for (const fetch of [undefined, hangs]) {
      const edge = edgeApp({ bucket, clock, ...(fetch === undefined ? {} : { fetch }) })
      const requests = [
        [`/v2/${name}/blobs/uploads/`, 'POST'],
        [`/v2/${'a'.repeat(64)}/manifests/latest`, 'GET'],
      ] as const
      for (const [path, method] of requests) {
        const answer = edge.request(path, { method })
        if (fetch !== undefined) {
          await asked.promise
          clock.advance(1000)
          asked = Promise.withResolvers<void>()
        }
        const response = await answer
        expect([response.status, response.headers.get('Retry-After')]).toEqual([503, '5'])
      }
      expect(await (await edge.request(`/v2/${name}/manifests/v1`)).text()).toBe(manifest)
    }
  })

  test('bytes too large for a manifest, of another repository, look as if they were not there', async () => {
    const { objects, bucket } = await world()
    const large = new Uint8Array(5 * 1024 * 1024)
    const digest = await digestOf(large)
    objects.set(blobKey(digest), large)
    expect((await edgeApp({ bucket }).request(`/v2/${name}/manifests/${digest}`)).status).toBe(404)
  })

  test('a layer link alone is enough for the edge to ask, as the bucket may have lost the bytes', async () => {
    const { objects, bucket } = await world()
    const lost = await digestOf(new TextEncoder().encode('lost'))
    objects.set(layerLinkKey(name, lost), linkContent(lost))
    const asked: string[] = []
    const fetch = async (url: URL) => {
      asked.push(url.pathname)
      return new Response(null, { status: 404 })
    }
    await edgeApp({ bucket, fetch }).request(`/v2/${name}/blobs/${lost}`)
    expect(asked).toEqual([`/v2/${name}/blobs/${lost}`])
  })
})
