// By what an edge finds what it serves. What is found, and remembered, depends on the rules: who may see what is theirs.

import type { AccessRules } from '../auth/access.ts'
import type { BucketReader } from '../ports/bucket.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type { ManifestCache } from '../ports/manifest-cache.ts'
import type { Views } from '../registry/content-view.ts'
import { type BlobFinder, createBlobFinder } from './blob-finder.ts'
import { type CachedManifests, createCachedManifests } from './cached-manifests.ts'
import { createViewFinder } from './view-finder.ts'

export interface EdgeFinders {
  readonly manifests: CachedManifests
  readonly blobs: BlobFinder
  readonly views: Views
}

export interface EdgeFinderDeps {
  readonly bucket: BucketReader
  readonly memory: ManifestCache
  /** Shared between edges (KV); undefined where there is none. */
  readonly shared: ManifestCache | undefined
  readonly clock: Clock
  readonly log: Log
  /** Longest time in milliseconds to wait for the shared cache; after it the bucket is asked. */
  readonly cacheTimeoutMs: number
  /** Milliseconds for which an image that came from outside is kept after it was last fetched. */
  readonly keepFetchedMs: number
}

/** The finders for rules. Those for other rules begin with nothing remembered but manifests, which say nothing of rights. */
export function createEdgeFinders(deps: EdgeFinderDeps): (access: AccessRules) => EdgeFinders {
  let last: { readonly access: AccessRules; readonly finders: EdgeFinders } | undefined

  function under(access: AccessRules): EdgeFinders {
    const views = createViewFinder({ ...deps, access })
    return {
      views,
      manifests: createCachedManifests({ ...deps, access }),
      blobs: createBlobFinder({ ...deps, access, views }),
    }
  }

  return (access) => {
    if (last?.access !== access) last = { access, finders: under(access) }
    return last.finders
  }
}
