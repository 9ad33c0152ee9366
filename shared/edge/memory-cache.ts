// The manifest cache in the memory of one process or isolate: bounded by bytes, fastest, first to be asked.

import { LRUCache } from 'lru-cache'
import type { CachedManifest, ManifestCache } from '../ports/manifest-cache.ts'
import type { Digest } from '../protocol/digest.ts'

/** Rough size in bytes of what an entry needs beside its content. */
const entryOverheadBytes = 512

/**
 * @param limitBytes of manifests and last-known tags together
 * @param looked is told of every look for a manifest, whether it was there
 */
export function createMemoryCache(limitBytes: number, looked?: (found: boolean) => void): ManifestCache {
  const entries = new LRUCache<string, CachedManifest | Digest>({
    maxSize: limitBytes,
    sizeCalculation: (entry) =>
      entryOverheadBytes + (typeof entry === 'string' ? entry.length : entry.bytes.byteLength),
  })
  return {
    async manifest(name, digest) {
      const entry = entries.get(`m/${name}/${digest}`)
      looked?.(entry !== undefined)
      return typeof entry === 'string' ? undefined : entry
    },
    async keepManifest(name, digest, manifest) {
      entries.set(`m/${name}/${digest}`, manifest)
    },
    async lastTag(name, tag) {
      const entry = entries.get(`t/${name}/${tag}`)
      return typeof entry === 'string' ? entry : undefined
    },
    async keepLastTag(name, tag, digest) {
      entries.set(`t/${name}/${tag}`, digest)
    },
  }
}
