// The edge process on Node: reads the bucket's folder, sends clients to the bucket process for blobs.

import { createEdgeApp } from '../../shared/edge/edge-app.ts'
import { createEdgeFinders } from '../../shared/edge/finders.ts'
import { createMemoryCache } from '../../shared/edge/memory-cache.ts'
import { createOriginClient } from '../../shared/edge/origin-client.ts'
import { accessKnown, createPublishedAccess } from '../../shared/edge/published-access.ts'
import { createRequestLimit } from '../../shared/http/request-limit.ts'
import type { Fetch } from '../../shared/ports/fetch.ts'
import { unhurried } from '../../shared/concurrency/unhurried.ts'
import { isLoopback, keepFetchedMs, originUrl, tlsFiles } from '../config/addresses.ts'
import type { Config } from '../config/schema.ts'
import { edgeRecords } from '../compose/account-records.ts'
import { readBucket } from '../compose/bucket-reading.ts'
import { openEdgeWord } from '../compose/edge-key.ts'
import { measuredAt, serve } from './serve.ts'
import type { Running } from './service.ts'
import { createStreamingFetch, streamingFetch } from '../http/streaming-fetch.ts'
import { createLog, systemClock, systemRandom } from '../compose/system-ports.ts'

/** The edge on the runtime that the configuration names. */
export async function startEdge(config: Config): Promise<Running> {
  if (config.edge.runtime === 'node') return startNodeEdge(config)
  // Loaded where it is used: an image without workerd has an edge too.
  const { startWorkerdEdge } = await import('./edge-workerd.ts')
  return startWorkerdEdge(config)
}

async function startNodeEdge(config: Config): Promise<Running> {
  const tls = tlsFiles(config)
  const log = createLog('edge', config.log.level)
  const measured = await measuredAt(config.edge.metrics_listen)
  const metrics = measured?.metrics
  const { bucket: plain, links, publicLinks, check } = await readBucket(config)
  const bucket = metrics?.operations.reader(plain) ?? plain
  const policy = createPublishedAccess({
    bucket,
    clock: systemClock,
    log,
    timeoutMs: config.edge.bucket_timeout_ms,
    readOnly: config.access.read_only,
    onLoopback: isLoopback(config.edge.listen),
  })
  const app = createEdgeApp({
    log,
    clock: systemClock,
    random: systemRandom,
    policy,
    checks: [check, accessKnown(policy)],
    observer: metrics?.requests,
    requestLimit: createRequestLimit(config.http.requests_per_minute, systemClock),
    bucket,
    links,
    publicLinks,
    finders: createEdgeFinders({
      bucket,
      memory: createMemoryCache(config.edge.memory_cache_mib * 1024 * 1024, metrics?.looked),
      shared: undefined,
      clock: systemClock,
      log,
      cacheTimeoutMs: config.edge.bucket_timeout_ms,
      keepFetchedMs: keepFetchedMs(config),
    }),
    origin: createOriginClient({
      originUrl: originUrl(config),
      timeoutMs: config.edge.origin_timeout_ms,
      clock: systemClock,
      fetch: await originFetch(config),
      word: await openEdgeWord(config, () => edgeRecords(config, async () => bucket)),
    }),
    bucketTimeoutMs: config.edge.bucket_timeout_ms,
  })
  // So that nobody has to wait for them, and they are known if the bucket fails from now on.
  await Promise.resolve(policy(unhurried)).catch((error: unknown) => log.warn('no access rules yet', {}, error))
  const serving = await serve({ config, fetch: app.fetch, address: config.edge.listen, measured, log, tls })
  const { url } = serving
  log.info('ready', { url, runtime: 'node', metrics: serving.metricsUrl })
  return { url, stop: serving.stop }
}

/** An origin that nobody gave an address for has our own certificate, which need not name where it listens. */
async function originFetch(config: Config): Promise<Fetch> {
  const tls = config.edge.origin_url === undefined ? tlsFiles(config) : undefined
  if (tls === undefined) return streamingFetch
  const { ownCertificateAgent } = await import('../tls/own-certificate-agent.ts')
  return createStreamingFetch(ownCertificateAgent(tls.certFile))
}
