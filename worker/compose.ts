// Puts the worker together: adapters of Workers, decisions of shared/edge.

import { createEdgeWord, type EdgeWord } from '../shared/auth/edge-word.ts'
import { createEdgeApp } from '../shared/edge/edge-app.ts'
import { createEdgeFinders } from '../shared/edge/finders.ts'
import { createHttpBucket } from '../shared/edge/http-bucket.ts'
import { createMemoryCache } from '../shared/edge/memory-cache.ts'
import { createOriginClient } from '../shared/edge/origin-client.ts'
import { createPublicLinks } from '../shared/edge/public-links.ts'
import { accessKnown, createPublishedAccess } from '../shared/edge/published-access.ts'
import { prefixedBucket, prefixedLinks } from '../shared/edge/prefixed-bucket.ts'
import { type BucketAccess, createSignedLinks, type SignedLinks } from '../shared/edge/signed-links.ts'
import { bucketReadable } from '../shared/http/health.ts'
import { createRequestLimit } from '../shared/http/request-limit.ts'
import type { RegistryApp } from '../shared/http/registry-app.ts'
import type { Clock } from '../shared/ports/clock.ts'
import { fetchObjectBy } from '../shared/ports/fetch.ts'
import type { WorkerConfig } from './config.ts'
import { createConsoleLog } from './console-log.ts'
import { createKvAccessCopy } from './kv-access-copy.ts'
import { createKvCache } from './kv-cache.ts'
import { createR2Bucket } from './r2-bucket.ts'
import { relayBody } from './relay-body.ts'

/** Milliseconds until a KV read is given up and the bucket asked. */
const cacheTimeoutMs = 2000

const dayMs = 24 * 3600_000

export function composeEdge(config: WorkerConfig): RegistryApp {
  const clock = workerClock
  const log = createConsoleLog(config.LOG_LEVEL)
  const signing = bucketAccess(config)
  const links = signing === undefined ? undefined : createSignedLinks(signing, clock)
  const { BUCKET_PREFIX: prefix, BUCKET_PUBLIC_URL: publicUrl } = config
  const bucket = prefixedBucket(
    config.BUCKET === undefined
      ? createHttpBucket({ links: required(links), fetch: fetchObjectBy(boundFetch) })
      : createR2Bucket(config.BUCKET),
    prefix,
  )
  const kv = config.MANIFESTS
  const policy = createPublishedAccess({
    bucket,
    copy: kv && createKvAccessCopy(kv),
    clock,
    log,
    timeoutMs: config.BUCKET_TIMEOUT_MS,
    readOnly: config.ACCESS_READ_ONLY,
    onLoopback: config.ON_LOOPBACK,
  })
  return createEdgeApp({
    log,
    clock,
    random: { uuid: () => crypto.randomUUID() },
    policy,
    checks: [bucketReadable(bucket), accessKnown(policy)],
    requestLimit: createRequestLimit(config.REQUESTS_PER_MINUTE, clock),
    bucket,
    links: links && prefixedLinks(links, prefix),
    publicLinks: publicUrl === undefined ? undefined : prefixedLinks(createPublicLinks(publicUrl), prefix),
    finders: createEdgeFinders({
      bucket,
      memory: createMemoryCache(config.MEMORY_CACHE_MIB * 1024 * 1024),
      shared: kv && createKvCache(kv),
      clock,
      log,
      cacheTimeoutMs,
      keepFetchedMs: config.IPFS_KEEP_FETCHED_DAYS * dayMs,
    }),
    origin: createOriginClient({
      originUrl: config.ORIGIN_URL,
      timeoutMs: config.ORIGIN_TIMEOUT_MS,
      clock,
      fetch: boundFetch,
      relayBody,
      word: edgeWord(config),
    }),
    bucketTimeoutMs: config.BUCKET_TIMEOUT_MS,
  })
}

/** Without a key the origin sees the worker as the client. */
function edgeWord({ EDGE_KEY: key }: WorkerConfig): EdgeWord | undefined {
  return key === undefined ? undefined : createEdgeWord({ key: new TextEncoder().encode(key), clock: workerClock })
}

/** In workerd, time stands still between waits, so that is how exact this clock is. */
const workerClock: Clock = {
  now: () => Date.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms)
    return () => clearTimeout(timer)
  },
}

/** workerd's fetch wants to be called as a function of the global object. */
const boundFetch = (url: URL | string, init: RequestInit): Promise<Response> => fetch(url, init)

function bucketAccess(config: WorkerConfig): BucketAccess | undefined {
  const { BUCKET_URL, BUCKET_ACCESS_KEY_ID, BUCKET_SECRET_ACCESS_KEY, BUCKET_REGION } = config
  if (BUCKET_URL === undefined || BUCKET_ACCESS_KEY_ID === undefined || BUCKET_SECRET_ACCESS_KEY === undefined)
    return undefined
  return {
    url: BUCKET_URL,
    region: BUCKET_REGION,
    accessKeyId: BUCKET_ACCESS_KEY_ID,
    secretAccessKey: BUCKET_SECRET_ACCESS_KEY,
  }
}

/** The configuration's schema makes sure of it. */
function required(links: SignedLinks | undefined): SignedLinks {
  if (links === undefined) throw new Error('BUCKET_URL is needed where no R2 bucket is bound')
  return links
}
