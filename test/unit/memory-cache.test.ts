// The manifest cache in memory: bounded by bytes, and it forgets what was used longest ago first.

import { expect, test } from 'vitest'
import { createMemoryCache } from '../../shared/edge/memory-cache.ts'
import type { ManifestCache } from '../../shared/ports/manifest-cache.ts'
import { repository, sha256, tag } from '../support/arbitraries.ts'

const kib = 1024
const name = repository('library/alpine')
const manifest = (sizeBytes: number) => ({ mediaType: 'a/b', bytes: new Uint8Array(sizeBytes) })
const digestAt = (at: number) => sha256(`manifest ${at}`)

async function keptOf(cache: ManifestCache, count: number): Promise<number[]> {
  const kept: number[] = []
  for (let at = 0; at < count; at += 1) if ((await cache.manifest(name, digestAt(at))) !== undefined) kept.push(at)
  return kept
}

test('it holds no more bytes of manifests than its limit, and keeps the newest', async () => {
  const cache = createMemoryCache(10 * kib)
  for (let at = 0; at < 100; at += 1) await cache.keepManifest(name, digestAt(at), manifest(kib))
  const kept = await keptOf(cache, 100)
  expect(kept.length).toBeGreaterThan(0)
  expect(kept.length * kib).toBeLessThanOrEqual(10 * kib)
  expect(kept).toEqual(Array.from(kept, (_, at) => 100 - kept.length + at))
})

test('it keeps what is used, and forgets what is not', async () => {
  const cache = createMemoryCache(10 * kib)
  for (let at = 0; at < 50; at += 1) {
    await cache.keepManifest(name, digestAt(at), manifest(kib))
    expect(await cache.manifest(name, digestAt(0))).toBeDefined()
  }
  expect(await cache.manifest(name, digestAt(1))).toBeUndefined()
})

test('a manifest larger than the limit is not kept, and pushes nothing else out', async () => {
  const cache = createMemoryCache(10 * kib)
  await cache.keepManifest(name, digestAt(0), manifest(kib))
  await cache.keepManifest(name, digestAt(1), manifest(11 * kib))
  expect(await keptOf(cache, 2)).toEqual([0])
})

test('tiny manifests do not fill it without end: each entry counts for more than its bytes', async () => {
  const cache = createMemoryCache(10 * kib)
  for (let at = 0; at < 1000; at += 1) await cache.keepManifest(name, digestAt(at), manifest(1))
  expect((await keptOf(cache, 1000)).length).toBeLessThanOrEqual(40)
})

test('tags count too', async () => {
  const cache = createMemoryCache(10 * kib)
  for (let at = 0; at < 1000; at += 1) await cache.keepLastTag(name, tag(`t${at}`), digestAt(at))
  let kept = 0
  for (let at = 0; at < 1000; at += 1) if ((await cache.lastTag(name, tag(`t${at}`))) !== undefined) kept += 1
  expect(kept).toBeGreaterThan(0)
  expect(kept).toBeLessThanOrEqual(40)
})

test('what is kept again is counted once', async () => {
  const cache = createMemoryCache(10 * kib)
  await cache.keepManifest(name, digestAt(0), manifest(kib))
  for (let times = 0; times < 100; times += 1) await cache.keepManifest(name, digestAt(1), manifest(kib))
  expect(await keptOf(cache, 2)).toEqual([0, 1])
})
