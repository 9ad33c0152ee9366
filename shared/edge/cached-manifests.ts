// The manifests an edge serves: memory first, then the shared cache (KV), then the bucket; each fills those before it.

import { type AccessRules, isAllPublic, isPublic } from '../auth/access.ts'
import type { BucketReader, Wait } from '../ports/bucket.ts'
import type { Clock } from '../ports/clock.ts'
import { deadline } from '../concurrency/deadline.ts'
import type { Log } from '../ports/log.ts'
import type { ManifestCache } from '../ports/manifest-cache.ts'
import { orAborted } from '../concurrency/or-aborted.ts'
import type { Cid } from '../protocol/cid.ts'
import type { Digest } from '../protocol/digest.ts'
import { UpstreamError } from '../protocol/errors.ts'
import { isContentName, type RepositoryName, type Tag } from '../protocol/names.ts'
import { readRoot } from '../registry/image-record.ts'
import { readManifest, type StoredManifest } from '../registry/read-manifest.ts'

export interface FoundManifest extends StoredManifest {
  readonly tier: 'memory' | 'kv' | 'bucket'
  /** Where its image is on IPFS. */
  readonly root?: Cid | undefined
}

type InBackground = (work: Promise<unknown>) => void

export interface CachedManifests {
  /** The manifest, from where it is nearest. Says nothing about membership, which only a link does. */
  get(name: RepositoryName, digest: Digest, wait: Wait): Promise<FoundManifest | undefined>
  /** Remembers a manifest. Only to be called once its link was seen: `lastKnown` takes it as part of the repository. */
  keep(name: RepositoryName, manifest: FoundManifest, inBackground: InBackground): Promise<void>
  /** What was kept, for when the bucket is in error. */
  lastKnown(name: RepositoryName, digest: Digest): Promise<FoundManifest | undefined>
  lastTag(name: RepositoryName, tag: Tag): Promise<Digest | undefined>
  /** Remembers what a tag named, where that is news. */
  sawTag(name: RepositoryName, tag: Tag, digest: Digest, inBackground: InBackground): Promise<void>
}

export interface CachedManifestsDeps {
  readonly bucket: BucketReader
  /** What is not public has no place on IPFS to tell of. */
  readonly access: AccessRules
  readonly memory: ManifestCache
  /** Shared between edges (KV); undefined where there is none. */
  readonly shared: ManifestCache | undefined
  readonly clock: Clock
  readonly log: Log
  /** Longest time in milliseconds to wait for the shared cache; after it the bucket is asked. */
  readonly cacheTimeoutMs: number
}

export function createCachedManifests(deps: CachedManifestsDeps): CachedManifests {
  const { bucket, access, memory, shared, clock, log } = deps

  /** A cache that fails or hangs is a cache that does not know: it is logged and served around. */
  async function fromShared<Entry>(
    read: (cache: ManifestCache) => Promise<Entry | undefined>,
  ): Promise<Entry | undefined> {
    if (shared === undefined) return undefined
    const limit = deadline(
      clock,
      deps.cacheTimeoutMs,
      undefined,
      () => new UpstreamError('cache', `no answer within ${deps.cacheTimeoutMs} ms`),
    )
    try {
      return await orAborted(limit.signal, read(shared))
    } catch (error) {
      log.warn('the shared manifest cache failed', {}, error)
      return undefined
    } finally {
      limit.clear()
    }
  }

  async function cached(name: RepositoryName, digest: Digest): Promise<FoundManifest | undefined> {
    const inMemory = await memory.manifest(name, digest)
    if (inMemory !== undefined) return told(name, { ...inMemory, digest, tier: 'memory' })
    const inShared = await fromShared((cache) => cache.manifest(name, digest))
    return inShared === undefined ? undefined : told(name, { ...inShared, digest, tier: 'kv' })
  }

  /** It may have been kept when the repository was public. */
  function told(name: RepositoryName, found: FoundManifest): FoundManifest {
    return isPublic(access, name) ? found : { ...found, root: undefined }
  }

  return {
    async get(name, digest, wait) {
      const known = await cached(name, digest)
      if (known !== undefined) return known
      const [stored, root] = await Promise.all([
        readManifest(bucket, digest, wait),
        isPublic(access, name) ? readRoot(bucket, digest, wait) : undefined,
      ])
      return stored === undefined ? undefined : { ...stored, root, tier: 'bucket' }
    },
    async keep(name, { digest, mediaType, bytes, root, tier }, inBackground) {
      if (tier === 'memory') return
      const kept = { mediaType, bytes, root }
      await memory.keepManifest(name, digest, kept)
      if (tier === 'bucket' && shared !== undefined) inBackground(shared.keepManifest(name, digest, kept))
    },
    async lastKnown(name, digest) {
      // Whether an image is still public enough to have a content name is the bucket's to say.
      return isContentName(name) && !isAllPublic(access) ? undefined : cached(name, digest)
    },
    async lastTag(name, tag) {
      return (await memory.lastTag(name, tag)) ?? (await fromShared((cache) => cache.lastTag(name, tag)))
    },
    async sawTag(name, tag, digest, inBackground) {
      const before = await memory.lastTag(name, tag)
      if (before === digest) return
      await memory.keepLastTag(name, tag, digest)
      if (shared === undefined) return
      // A move is written at once: what a look at KV found could be from before it.
      inBackground(
        before === undefined ? keepTagUnlessKnown(shared, name, tag, digest) : shared.keepLastTag(name, tag, digest),
      )
    },
  }
}

/** Isolates are many and begin with an empty memory, and KV's writes cost ten times its reads. */
async function keepTagUnlessKnown(cache: ManifestCache, name: RepositoryName, tag: Tag, digest: Digest): Promise<void> {
  if ((await cache.lastTag(name, tag)) !== digest) await cache.keepLastTag(name, tag, digest)
}
