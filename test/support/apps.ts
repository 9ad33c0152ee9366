// Origin and edge in this process, put together from given parts and asked without a network.

import { nodeHasher } from '../../origin/upload/node-hasher.ts'
import { systemClock, systemRandom } from '../../origin/compose/system-ports.ts'
import { embeddedStore } from '../../origin/ipfs/embedded-store.ts'
import type { AccessRules } from '../../shared/auth/access.ts'
import type { Authentication } from '../../shared/auth/authentication.ts'
import type { CurrentPolicy } from '../../shared/auth/policy.ts'
import type { IssuingAuthentication } from '../../shared/auth/token-service.ts'

import { createEdgeApp } from '../../shared/edge/edge-app.ts'
import { createEdgeFinders } from '../../shared/edge/finders.ts'
import { createMemoryCache } from '../../shared/edge/memory-cache.ts'
import { createOriginClient } from '../../shared/edge/origin-client.ts'
import { createOriginApp } from '../../shared/http/origin-app.ts'
import { bucketReadable } from '../../shared/http/health.ts'
import type { RequestLimit } from '../../shared/http/request-limit.ts'
import type { RegistryApp } from '../../shared/http/registry-app.ts'
import type { Bucket, BucketReader } from '../../shared/ports/bucket.ts'
import type { Clock } from '../../shared/ports/clock.ts'
import type { Fetch } from '../../shared/ports/fetch.ts'
import type { ManifestCache } from '../../shared/ports/manifest-cache.ts'
import type { ObjectLinks } from '../../shared/ports/object-links.ts'
import type { Uploads } from '../../shared/ports/uploads.ts'
import type { RequestObserver } from '../../shared/ports/request-observer.ts'
import type { ImageFetcher } from '../../shared/registry/fetch-image.ts'
import { findView } from '../../shared/registry/content-view.ts'
import { createPublisher } from '../../shared/registry/publish-image.ts'
import { createPushBlob } from '../../shared/registry/push-blob.ts'
import { silentLog } from './silent-log.ts'

const everything: AccessRules = { anonymous: 'push', delete: true }

/** Milliseconds: a day. */
export const keepFetchedMs = 24 * 3600_000

export function originApp({
  bucket,
  uploads,
  clock = systemClock,
  observer,
  access = everything,
  auth,
  fetcher,
  searchLimit,
}: {
  bucket: Bucket
  uploads: Uploads
  clock?: Clock
  observer?: RequestObserver
  access?: AccessRules
  auth?: IssuingAuthentication
  fetcher?: ImageFetcher
  searchLimit?: RequestLimit | undefined
}): RegistryApp {
  const publisher = createPublisher({ bucket, access, log: silentLog, store: embeddedStore, names: 'any' })
  return createOriginApp({
    log: silentLog,
    clock,
    random: systemRandom,
    access,
    auth,
    checks: [bucketReadable(bucket)],
    observer,
    push: { allowSparse: false, publisher },
    requestTimeoutMs: 60_000,
    bucket,
    views: { find: (name, wait) => findView({ bucket, access, clock, keepFetchedMs }, name, wait) },
    fetcher,
    searchLimit,
    pushBlob: createPushBlob({ bucket, uploads, hasher: nodeHasher, random: systemRandom, publisher }),
  })
}

export interface EdgeParts {
  readonly bucket: BucketReader
  /** Where the origin is reached; by default nobody answers there. */
  readonly fetch?: Fetch
  readonly links?: ObjectLinks
  readonly publicLinks?: ObjectLinks
  readonly clock?: Clock
  readonly memory?: ManifestCache
  readonly shared?: ManifestCache
  readonly observer?: RequestObserver
  readonly access?: AccessRules
  readonly auth?: Authentication
  /** In place of these two, where they change. */
  readonly policy?: CurrentPolicy
}

/** Timeouts are 1,000 ms of the clock. */
export function edgeApp({
  bucket,
  fetch,
  links,
  publicLinks,
  clock = systemClock,
  memory,
  shared,
  observer,
  access = everything,
  auth,
  policy,
}: EdgeParts): RegistryApp {
  const fixed = { access, auth }
  const nobody: Fetch = () => Promise.reject(new TypeError('fetch failed'))
  return createEdgeApp({
    log: silentLog,
    clock,
    random: systemRandom,
    policy: policy ?? (() => fixed),
    checks: [bucketReadable(bucket)],
    observer,
    bucket,
    links,
    publicLinks,
    finders: createEdgeFinders({
      bucket,
      memory: memory ?? createMemoryCache(1024 * 1024),
      shared,
      clock,
      log: silentLog,
      cacheTimeoutMs: 1000,
      keepFetchedMs,
    }),
    origin: createOriginClient({ originUrl: 'http://origin.test', timeoutMs: 1000, clock, fetch: fetch ?? nobody }),
    bucketTimeoutMs: 1000,
  })
}

/** The origin as an edge reaches it, without a network between them. */
export function fetchOf(app: RegistryApp): Fetch {
  return async (url, init) => app.request(url.href, init)
}
