// Origin and edge in this process, put together from given parts and asked without a network.

import { nodeHasher } from '../../origin/upload/node-hasher.ts'
import { systemClock, systemRandom } from '../../origin/process/system-ports.ts'
import { createBlobFinder } from '../../shared/edge/blob-finder.ts'
import { createCachedManifests } from '../../shared/edge/cached-manifests.ts'
import { createEdgeApp } from '../../shared/edge/edge-app.ts'
import { createMemoryCache } from '../../shared/edge/memory-cache.ts'
import { createOriginClient } from '../../shared/edge/origin-client.ts'
import { createOriginApp } from '../../shared/http/origin-app.ts'
import { bucketReadable } from '../../shared/http/health.ts'
import type { RegistryApp } from '../../shared/http/registry-app.ts'
import type { Bucket, BucketReader } from '../../shared/ports/bucket.ts'
import type { Clock } from '../../shared/ports/clock.ts'
import type { Fetch } from '../../shared/ports/fetch.ts'
import type { ManifestCache } from '../../shared/ports/manifest-cache.ts'
import type { ObjectLinks } from '../../shared/ports/object-links.ts'
import type { Uploads } from '../../shared/ports/uploads.ts'
import type { RequestObserver } from '../../shared/ports/request-observer.ts'
import { createPushBlob } from '../../shared/registry/push-blob.ts'
import { silentLog } from './silent-log.ts'

export function originApp({
  bucket,
  uploads,
  clock = systemClock,
  observer,
}: {
  bucket: Bucket
  uploads: Uploads
  clock?: Clock
  observer?: RequestObserver
}): RegistryApp {
  return createOriginApp({
    log: silentLog,
    clock,
    random: systemRandom,
    access: { anonymous: 'push', delete: true },
    checks: [bucketReadable(bucket)],
    observer,
    push: { allowSparse: false },
    requestTimeoutMs: 60_000,
    bucket,
    pushBlob: createPushBlob({ bucket, uploads, hasher: nodeHasher, random: systemRandom }),
  })
}

export interface EdgeParts {
  readonly bucket: BucketReader
  /** Where the origin is reached; by default nobody answers there. */
  readonly fetch?: Fetch
  readonly links?: ObjectLinks
  readonly clock?: Clock
  readonly memory?: ManifestCache
  readonly shared?: ManifestCache
  readonly observer?: RequestObserver
}

/** Timeouts are 1,000 ms of the clock. */
export function edgeApp({
  bucket,
  fetch,
  links,
  clock = systemClock,
  memory,
  shared,
  observer,
}: EdgeParts): RegistryApp {
  const nobody: Fetch = () => Promise.reject(new TypeError('fetch failed'))
  return createEdgeApp({
    log: silentLog,
    clock,
    random: systemRandom,
    access: { anonymous: 'push', delete: true },
    checks: [bucketReadable(bucket)],
    observer,
    bucket,
    links,
    manifests: createCachedManifests({
      bucket,
      memory: memory ?? createMemoryCache(1024 * 1024),
      shared,
      clock,
      log: silentLog,
      cacheTimeoutMs: 1000,
    }),
    blobs: createBlobFinder({ bucket, clock }),
    origin: createOriginClient({ originUrl: 'http://origin.test', timeoutMs: 1000, clock, fetch: fetch ?? nobody }),
    bucketTimeoutMs: 1000,
  })
}

/** The origin as an edge reaches it, without a network between them. */
export function fetchOf(app: RegistryApp): Fetch {
  return async (url, init) => app.request(url.href, init)
}
