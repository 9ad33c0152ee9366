// What an edge remembers of manifests. A cache: it may forget anything at any time, and is never asked whether
// something exists, except when the bucket is in error.
// Adapters: shared/edge/memory-cache.ts, worker/kv-cache.ts; contract: test/contract/manifest-cache.contract.ts.

import type { Cid } from '../protocol/cid.ts'
import type { Digest } from '../protocol/digest.ts'
import type { RepositoryName, Tag } from '../protocol/names.ts'

export interface CachedManifest {
  readonly mediaType: string
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Where its image is on IPFS, as far as was known. */
  readonly root?: Cid | undefined
}

export interface ManifestCache {
  /** The manifest as it was served under this name. */
  manifest(name: RepositoryName, digest: Digest): Promise<CachedManifest | undefined>

  /** Remembers a manifest whose digest was checked. */
  keepManifest(name: RepositoryName, digest: Digest, manifest: CachedManifest): Promise<void>

  /** What the tag named when it was last resolved. For when the bucket is in error, never before asking it. */
  lastTag(name: RepositoryName, tag: Tag): Promise<Digest | undefined>

  keepLastTag(name: RepositoryName, tag: Tag, digest: Digest): Promise<void>
}
