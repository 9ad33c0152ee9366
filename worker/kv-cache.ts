// The manifest cache that all isolates of a deployment share, in Workers KV.
//
// KV takes a minute to spread, keeps misses for as long, and takes one write a second a key: so it holds only what a
// digest names, which never changes, and last-known tags for when the bucket is in error.

import type { ManifestCache } from '../shared/ports/manifest-cache.ts'
import { parseDigest } from '../shared/protocol/digest.ts'
import { parseRootCid } from '../shared/protocol/names.ts'

/** Seconds after which an entry that nobody refreshed ends, so that KV does not grow for ever. */
const keepSeconds = 30 * 24 * 3600

interface Metadata {
  readonly mediaType: string
  readonly root?: string
}

export function createKvCache(kv: KVNamespace): ManifestCache {
  return {
    async manifest(name, digest) {
      const { value, metadata } = await kv.getWithMetadata<Metadata>(`m/${name}/${digest}`, 'arrayBuffer')
      return value === null || metadata === null
        ? undefined
        : {
            mediaType: metadata.mediaType,
            bytes: new Uint8Array(value),
            root: metadata.root === undefined ? undefined : parseRootCid(metadata.root),
          }
    },
    async keepManifest(name, digest, { mediaType, bytes, root }) {
      await kv.put(`m/${name}/${digest}`, bytes, {
        metadata: { mediaType, ...(root === undefined ? {} : { root }) } satisfies Metadata,
        expirationTtl: keepSeconds,
      })
    },
    async lastTag(name, tag) {
      const text = await kv.get(`t/${name}/${tag}`)
      return text === null ? undefined : parseDigest(text)
    },
    async keepLastTag(name, tag, digest) {
      await kv.put(`t/${name}/${tag}`, digest, { expirationTtl: keepSeconds })
    },
  }
}
