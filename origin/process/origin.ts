// The origin process: takes pushes and answers for everything.

import type { AccessRules } from '../../shared/auth/access.ts'
import { createUploadCapabilities } from '../../shared/auth/upload-capability.ts'
import { createOriginApp } from '../../shared/http/origin-app.ts'
import type { PublicUploads } from '../../shared/http/public-uploads.ts'
import { createLoginLimit, createRequestLimit, createSearchLimit } from '../../shared/http/request-limit.ts'
import type { Log } from '../../shared/ports/log.ts'
import { unhurried } from '../../shared/concurrency/unhurried.ts'
import { findView } from '../../shared/registry/content-view.ts'
import { createImmutableTags } from '../../shared/registry/immutable-tags.ts'
import { createPushBlob } from '../../shared/registry/push-blob.ts'
import { startUploadExpiry } from '../../shared/registry/upload-expiry.ts'
import { randomKey } from '../accounts/random-key.ts'
import { type Records, uploadKeyName } from '../accounts/records.ts'
import { nodeHasher } from '../upload/node-hasher.ts'
import { accessRules, keepFetchedMs, tlsFiles, uploadExpiryMs } from '../config/addresses.ts'
import type { Config } from '../config/schema.ts'
import type { CertificateFiles } from '../tls/certificate-pair.ts'
import { startRecords } from '../compose/account-records.ts'
import { openAccounts } from '../compose/accounts.ts'
import { startAuthentication } from '../compose/authentication.ts'
import { openEdgeWord } from '../compose/edge-key.ts'
import { startIpfs } from '../compose/ipfs.ts'
import { type OpenBucket, openBucket } from '../compose/open-bucket.ts'
import { joinOtherOrigins } from '../compose/other-origins.ts'
import { startRepublishing } from './republish.ts'
import { measuredAt, serve } from './serve.ts'
import type { Running } from './service.ts'
import { createLog, systemClock, systemRandom } from '../compose/system-ports.ts'

export async function startOrigin(config: Config): Promise<Running> {
  const settled = { config, access: accessRules(config), tls: tlsFiles(config) }
  const log = createLog('origin', config.log.level)
  const opened = await openBucket(config, log)
  const records = await startRecords(config, opened, log)
  const others = await joinOtherOrigins(config, settled.access, opened, records, log)
  try {
    const running = await startOn(opened, records, settled, log)
    return {
      url: running.url,
      async stop() {
        await running.stop()
        await others?.stop()
      },
    }
  } catch (error) {
    await others?.stop()
    throw error
  }
}

interface Settled {
  readonly config: Config
  readonly access: AccessRules
  readonly tls: CertificateFiles | undefined
}

async function startOn(
  { bucket: plain, uploads, checks }: OpenBucket,
  records: Records,
  { config, access, tls }: Settled,
  log: Log,
): Promise<Running> {
  const measured = await measuredAt(config.origin.metrics_listen)
  const metrics = measured?.metrics
  const readOnly = config.access.read_only
  const bucket = metrics?.operations.writer(plain) ?? plain
  const ipfs = await startIpfs({ config, bucket, uploads, access, log })
  const { publisher, fetcher } = ipfs
  const sessions = createPushBlob({ bucket, uploads, hasher: nodeHasher, random: systemRandom, publisher })
  const accounts = await openAccounts(config, records, log)
  const { auth, publish } = await startAuthentication({ config, access, bucket, records, accounts, log })
  const publicUploads = await startPublicUploads(config, records)
  const edgeWord = await openEdgeWord(config, async () => records)
  const viewDeps = { bucket, access, clock: systemClock, keepFetchedMs: keepFetchedMs(config) }
  const pushBlob = metrics?.uploads.of(sessions) ?? sessions
  const app = createOriginApp({
    log,
    clock: systemClock,
    random: systemRandom,
    access,
    auth,
    loginLimit: createLoginLimit(config.http.login_attempts_per_minute, systemClock),
    checks,
    observer: metrics?.requests,
    requestLimit: createRequestLimit(config.http.requests_per_minute, systemClock),
    bucket,
    pushBlob,
    publicUploads,
    fetcher,
    searchLimit: createSearchLimit(config.ipfs.searches_per_minute, systemClock),
    views: { find: (name, wait) => findView(viewDeps, name, wait) },
    push: {
      allowSparse: config.push.allow_sparse,
      publisher,
      immutable: createImmutableTags(access.immutableTags ?? []),
    },
    requestTimeoutMs: config.origin.request_timeout_ms,
  })
  const serving = await serve({
    config,
    fetch: app.fetch,
    address: config.origin.listen,
    measured,
    log,
    tls,
    edgeWord,
  }).catch(async (error: unknown) => {
    await ipfs.stop()
    throw error
  })
  // Only now: an origin that finds its address taken must not tell edges what to do.
  await publish().catch(async (error: unknown) => {
    await Promise.all([serving.stop(), ipfs.stop()])
    throw error
  })
  const { url } = serving
  log.info('ready', { url, metrics: serving.metricsUrl, ipfs: ipfs.addresses.join(',') || undefined })
  const expiry = readOnly
    ? undefined
    : startUploadExpiry({
        uploads,
        pushBlob,
        clock: systemClock,
        log,
        expireAfterMs: uploadExpiryMs(config),
        found: metrics?.uploads.found,
      })
  const republishing = readOnly ? undefined : startRepublishing({ bucket, publish, clock: systemClock, log })
  return {
    url,
    async stop() {
      await Promise.all([expiry?.stop(), republishing?.stop(), serving.stop()])
      await ipfs.stop()
    },
  }
}

/** Undefined where the origin has no public host. A capability lives as long as an upload that nobody goes on with. */
async function startPublicUploads(config: Config, records: Records): Promise<PublicUploads | undefined> {
  const { public_url: url } = config.origin
  if (url === undefined) return undefined
  const key = await randomKey(records, uploadKeyName, unhurried)
  return { url, capabilities: createUploadCapabilities({ key, lifeMs: uploadExpiryMs(config), clock: systemClock }) }
}
