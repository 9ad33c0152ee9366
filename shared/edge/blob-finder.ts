// Finds blobs for an edge, and remembers those it found for a short time.

import { LRUCache } from 'lru-cache'
import type { Wait } from '../ports/bucket.ts'
import type { Clock } from '../ports/clock.ts'
import type { Digest } from '../protocol/digest.ts'
import type { RepositoryName } from '../protocol/names.ts'
import { type BlobState, findBlobUnder, type FindDeps } from '../registry/find-blob.ts'

/** Milliseconds; a delete is seen by every edge after at most so long. */
const rememberMs = 60_000

/** Entries of some 300 bytes each. */
const rememberLimit = 20_000

export interface BlobFinder {
  find(name: RepositoryName, digest: Digest, wait: Wait): Promise<BlobState>
  /** The blob was deleted: look again. */
  forget(name: RepositoryName, digest: Digest): void
}

export interface BlobFinderDeps extends FindDeps {
  readonly clock: Clock
}

/** Only what is wholly there is remembered: a blob that is pushed after it was asked for is seen at once. */
export function createBlobFinder(deps: BlobFinderDeps): BlobFinder {
  const remembered = new LRUCache<string, BlobState>({
    max: rememberLimit,
    ttl: rememberMs,
    ttlResolution: 0,
    perf: { now: () => deps.clock.now() },
  })
  return {
    async find(name, digest, wait) {
      const key = `${name}/${digest}`
      const known = remembered.get(key)
      if (known !== undefined) return known
      const state = await findBlobUnder(deps, name, digest, wait)
      if (state.linked && state.sizeBytes !== undefined) remembered.set(key, state)
      return state
    },
    forget(name, digest) {
      remembered.delete(`${name}/${digest}`)
    },
  }
}
