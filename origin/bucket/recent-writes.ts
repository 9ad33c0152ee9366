// What this process wrote to a bucket a moment ago, and so need not ask for: a push looks two or three times for each of
// its layers, right after they were stored.

import { LRUCache } from 'lru-cache'
import { isLayerLinkKey, type Key, parseBlobKey } from '../../shared/layout/keys.ts'
import type { Clock } from '../../shared/ports/clock.ts'

/** Milliseconds for which a write counts. For so long a removal by another process may go unseen. */
const recentMs = 30_000

/** Of some 200 bytes each. */
const keptWrites = 20_000

/** Of objects that never change alone: blobs, and the links by which repositories have them. */
export interface RecentWrites {
  wrote(key: Key, sizeBytes: number): void
  /** Or is about to be. */
  removed(key: Key): void
  /** Bytes; undefined where nothing is known of it. */
  sizeOf(key: Key): number | undefined
}

export function createRecentWrites(clock: Clock): RecentWrites {
  const writes = new LRUCache<Key, { readonly sizeBytes: number; readonly atMs: number }>({ max: keptWrites })
  return {
    wrote(key, sizeBytes) {
      if (parseBlobKey(key) !== undefined || isLayerLinkKey(key)) writes.set(key, { sizeBytes, atMs: clock.now() })
    },
    removed: (key) => void writes.delete(key),
    sizeOf(key) {
      const write = writes.get(key)
      return write !== undefined && clock.now() - write.atMs < recentMs ? write.sizeBytes : undefined
    },
  }
}
