// Memory, then the shared cache, then the bucket; what is kept fills the caches, and one that fails is served around.

import { beforeEach, describe, expect, test } from 'vitest'
import type { AccessRules } from '../../shared/auth/access.ts'
import { type CachedManifests, createCachedManifests } from '../../shared/edge/cached-manifests.ts'
import { createMemoryCache } from '../../shared/edge/memory-cache.ts'
import { blobKey } from '../../shared/layout/keys.ts'
import type { Wait } from '../../shared/ports/bucket.ts'
import type { Log } from '../../shared/ports/log.ts'
import type { ManifestCache } from '../../shared/ports/manifest-cache.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { parseRootCid } from '../../shared/protocol/names.ts'
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts'
import { createMemoryBucket, type Objects } from '../support/bucket/memory-bucket.ts'
import { repository, sha256, tag } from '../support/arbitraries.ts'

const mediaType = 'application/vnd.oci.image.manifest.v1+json'
const bytes = new TextEncoder().encode(JSON.stringify({ mediaType }))
const digest = sha256(bytes)
const newer = sha256('a newer manifest')
const name = repository('library/alpine')
const latest = tag('latest')
const wait: Wait = { signal: new AbortController().signal }
const root = parseRootCid(`bafybei${'a'.repeat(52)}`)
const cacheTimeoutMs = 2000

type Way = 'works' | 'fails' | 'hangs' | 'hangs on writes'

let objects: Objects
let memory: ManifestCache
let kv: ManifestCache
let way: Way
let asked: string[]
let warnings: string[]
let background: Promise<unknown>[]
let clock: FakeClock
let manifests: CachedManifests

const inBackground = (work: Promise<unknown>) => void background.push(work)
const get = () => manifests.get(name, digest, wait)

/** As an edge does once it has seen the link. */
async function getAndKeep() {
  const found = await get()
  if (found !== undefined) await manifests.keep(name, found, inBackground)
  return found
}

/** The cache with its faults, and what it was asked. */
function faulty(cache: ManifestCache): ManifestCache {
  async function through<Result>(call: string, work: () => Promise<Result>): Promise<Result> {
    asked.push(call)
    if (way === 'fails') throw new Error('KV is broken by the test')
    const hangs = way === 'hangs' || (way === 'hangs on writes' && call.startsWith('keep'))
    return hangs ? new Promise<Result>(() => {}) : work()
  }
  return {
    manifest: (...args) => through('manifest', () => cache.manifest(...args)),
    keepManifest: (...args) => through('keepManifest', () => cache.keepManifest(...args)),
    lastTag: (...args) => through('lastTag', () => cache.lastTag(...args)),
    keepLastTag: (...args) => through('keepLastTag', () => cache.keepLastTag(...args)),
  }
}

function make(shared: ManifestCache | undefined, closed: readonly string[] = []): CachedManifests {
  const log: Log = {
    info() {},
    warn: (message) => void warnings.push(message),
    error: (message) => void warnings.push(message),
  }
  const access = { anonymous: 'push', delete: true, private: [...closed] } satisfies AccessRules
  const bucket = createMemoryBucket(objects)
  return createCachedManifests({ bucket, access, memory, shared, clock, log, cacheTimeoutMs })
}

beforeEach(() => {
  objects = new Map([[blobKey(digest), bytes]])
  memory = createMemoryCache(1024 * 1024)
  kv = createMemoryCache(1024 * 1024)
  way = 'works'
  asked = []
  warnings = []
  background = []
  clock = createFakeClock()
  manifests = make(faulty(kv))
})

describe('a manifest', () => {
  test('comes from the bucket at first, and from memory once it was kept', async () => {
    expect(await getAndKeep()).toEqual({ digest, mediaType, bytes, tier: 'bucket' })
    objects.clear()
    expect(await get()).toEqual({ digest, mediaType, bytes, tier: 'memory' })
  })

  test('that was got but not kept, since it may belong to no repository, enters no cache', async () => {
    expect((await get())?.tier).toBe('bucket')
    expect(background).toEqual([])
    expect(await manifests.lastKnown(name, digest)).toBeUndefined()
  })

  test('that memory has costs no question to the shared cache', async () => {
    await getAndKeep()
    asked.length = 0
    await getAndKeep()
    expect(asked).toEqual([])
  })

  test('from the bucket, once kept, is in the shared cache', async () => {
    await getAndKeep()
    await Promise.all(background)
    expect(await kv.manifest(name, digest)).toEqual({ mediaType, bytes })
  })

  test('is kept without waiting for the shared cache', async () => {
    way = 'hangs on writes'
    await getAndKeep()
    expect(background).toHaveLength(1)
  })

  test('that another edge put into the shared cache comes from there, and once kept from memory', async () => {
    await kv.keepManifest(name, digest, { mediaType, bytes })
    objects.clear()
    expect(await getAndKeep()).toEqual({ digest, mediaType, bytes, tier: 'kv' })
    expect((await get())?.tier).toBe('memory')
  })

  test('that came from a cache is not written to the shared cache again', async () => {
    await kv.keepManifest(name, digest, { mediaType, bytes })
    await getAndKeep()
    await getAndKeep()
    expect(background).toEqual([])
  })

  test('kept under one name says nothing of another', async () => {
    await getAndKeep()
    objects.clear()
    const other = repository('library/other')
    expect(await manifests.get(other, digest, wait)).toBeUndefined()
    expect(await manifests.lastKnown(other, digest)).toBeUndefined()
  })

  test.each(['memory', 'kv'] as const)(
    'of a repository that is private by now comes from %s without its root',
    async (tier) => {
      await (tier === 'memory' ? memory : kv).keepManifest(name, digest, { mediaType, bytes, root })
      expect(await get()).toMatchObject({ tier, root })
      const closed = make(kv, [name])
      expect(await closed.get(name, digest, wait)).toEqual({ digest, mediaType, bytes, tier, root: undefined })
      expect(await closed.lastKnown(name, digest)).toEqual({ digest, mediaType, bytes, tier, root: undefined })
    },
  )

  test('that is nowhere is undefined, and that is not remembered', async () => {
    objects.clear()
    expect(await getAndKeep()).toBeUndefined()
    objects.set(blobKey(digest), bytes)
    expect((await get())?.tier).toBe('bucket')
  })

  test('whose bytes in the bucket are damaged is a failure of the bucket', async () => {
    objects.set(blobKey(digest), new TextEncoder().encode('{}'))
    await expect(get()).rejects.toBeInstanceOf(UpstreamError)
  })

  test('is found without a shared cache too', async () => {
    manifests = make(undefined)
    expect((await getAndKeep())?.tier).toBe('bucket')
    expect((await get())?.tier).toBe('memory')
    expect(background).toEqual([])
  })
})

describe('a shared cache', () => {
  test('that fails is served around, and logged', async () => {
    way = 'fails'
    expect((await getAndKeep())?.tier).toBe('bucket')
    expect(warnings).toHaveLength(1)
    await expect(Promise.all(background)).rejects.toThrow('KV is broken')
  })

  test('that hangs is given up after its time and not before, and logged', async () => {
    way = 'hangs'
    let settled = false
    const found = get().finally(() => {
      settled = true
    })
    await clock.untilArmed()
    clock.advance(cacheTimeoutMs - 1)
    await new Promise(setImmediate)
    expect(settled).toBe(false)
    clock.advance(1)
    expect((await found)?.tier).toBe('bucket')
    expect(warnings).toHaveLength(1)
  })

  test('that answers leaves no timer behind', async () => {
    await kv.keepManifest(name, digest, { mediaType, bytes })
    await get()
    expect(clock.pending).toBe(0)
  })
})

describe('the last known answer', () => {
  test('comes from memory or the shared cache, never from the bucket', async () => {
    expect(await manifests.lastKnown(name, digest)).toBeUndefined()
    await kv.keepManifest(name, digest, { mediaType, bytes })
    expect((await manifests.lastKnown(name, digest))?.tier).toBe('kv')
    await memory.keepManifest(name, digest, { mediaType, bytes })
    expect((await manifests.lastKnown(name, digest))?.tier).toBe('memory')
  })

  test('is none under a content name where something is private: what it names may be that by now', async () => {
    const content = repository('b'.repeat(64))
    await memory.keepManifest(content, digest, { mediaType, bytes })
    expect(await manifests.lastKnown(content, digest)).toBeDefined()
    expect(await make(undefined, ['team/**']).lastKnown(content, digest)).toBeUndefined()
  })

  test.each(['fails', 'hangs'] as const)('is none where the shared cache %s', async (how) => {
    way = how
    const found = Promise.all([manifests.lastKnown(name, digest), manifests.lastTag(name, latest)])
    if (how === 'hangs') {
      while (clock.pending < 2) await new Promise(setImmediate)
      clock.advance(cacheTimeoutMs)
    }
    expect(await found).toEqual([undefined, undefined])
  })

  test('of a tag comes from memory, else from the shared cache', async () => {
    await kv.keepLastTag(name, latest, digest)
    expect(await manifests.lastTag(name, latest)).toBe(digest)
    await manifests.sawTag(name, latest, newer, inBackground)
    await Promise.all(background)
    asked.length = 0
    expect(await manifests.lastTag(name, latest)).toBe(newer)
    expect(asked).toEqual([])
  })
})

describe('a tag that was seen', () => {
  test('is written to the shared cache once, and again only when it names another manifest', async () => {
    for (const seen of [digest, digest, newer, newer, newer, digest]) {
      await manifests.sawTag(name, latest, seen, inBackground)
    }
    await Promise.all(background)
    expect(asked.filter((call) => call === 'keepLastTag')).toHaveLength(3)
    expect(await kv.lastTag(name, latest)).toBe(digest)
  })

  test('is not written again by an edge that starts, where the shared cache has it; a move is, unread', async () => {
    await kv.keepLastTag(name, latest, digest)
    await manifests.sawTag(name, latest, digest, inBackground)
    await Promise.all(background)
    expect(asked).toEqual(['lastTag'])
    await manifests.sawTag(name, latest, newer, inBackground)
    await Promise.all(background)
    expect(asked).toEqual(['lastTag', 'keepLastTag'])
    expect(await kv.lastTag(name, latest)).toBe(newer)
  })

  test('is written by an edge that starts where the shared cache has another', async () => {
    await kv.keepLastTag(name, latest, newer)
    await manifests.sawTag(name, latest, digest, inBackground)
    await Promise.all(background)
    expect(await kv.lastTag(name, latest)).toBe(digest)
  })

  test('does not wait for the shared cache', async () => {
    way = 'hangs'
    await manifests.sawTag(name, latest, digest, inBackground)
    expect(background).toHaveLength(1)
  })
})
