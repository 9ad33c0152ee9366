// Puts together what looks at a running deployment, from the configuration of its origin.

import { type AccessRules, defaultService, hasUsers } from '../../shared/auth/access.ts'
import { createTokenSigner } from '../../shared/auth/token.ts'
import type { PublicKey } from '../../shared/auth/public-key.ts'
import type { BucketReader, Wait } from '../../shared/ports/bucket.ts'
import { deadline } from '../../shared/concurrency/deadline.ts'
import type { Fetch } from '../../shared/ports/fetch.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { SealedRecordError, tokenKeyName } from '../accounts/records.ts'
import { openTokenKeys, type TokenKeys } from '../accounts/token-keys.ts'
import { folderReadable } from '../bucket/folder-checks.ts'
import { createFsBucket, createFsBucketReader } from '../bucket/fs-bucket.ts'
import {
  accessRules,
  bucketFolder,
  bucketUrl,
  localEdgeUrl,
  localOriginUrl,
  s3Access,
  tlsFiles,
} from '../config/addresses.ts'
import type { Config } from '../config/schema.ts'
import { accessChecks } from '../doctor/access-checks.ts'
import { createAsk } from '../doctor/ask.ts'
import { bucketChecks, type BucketProbes } from '../doctor/bucket-checks.ts'
import { type Check, type Outcome, runChecks } from '../doctor/check.ts'
import { networkChecks, type Place } from '../doctor/network-checks.ts'
import { processChecks } from '../doctor/process-checks.ts'
import { pullChecks } from '../doctor/pull-checks.ts'
import { createScratch } from '../doctor/scratch.ts'
import { uploadChecks } from '../doctor/upload-checks.ts'
import { createVisitor } from '../doctor/visitor.ts'
import { edgeRecords } from '../compose/account-records.ts'
import { accessDocument } from '../compose/authentication.ts'
import { bucketPlace } from '../compose/open-bucket.ts'
import { createStreamingFetch, streamingFetch } from '../http/streaming-fetch.ts'
import { systemClock, systemRandom } from '../compose/system-ports.ts'

/** Milliseconds for each check. */
const checkTimeoutMs = 15_000

/** Addresses as somebody named them; what is undefined follows from the configuration. */
export interface DoctorUrls {
  readonly edge: string | undefined
  readonly origin: string | undefined
}

/**
 * Looks at the deployment, and leaves nothing behind in it.
 * @param say hears of objects that could not be removed again
 */
export async function* examine(
  config: Config,
  urls: DoctorUrls,
  say: (message: string) => void,
  wait: Wait,
): AsyncGenerator<Outcome> {
  const bucket = await bucketProbes(config)
  try {
    const checks = await allChecks(config, urls, bucket, wait)
    yield* runChecks(checks, { clock: systemClock, timeoutMs: checkTimeoutMs, wait })
  } finally {
    const slow = () => new Error(`no answer within ${checkTimeoutMs} ms`)
    const limit = deadline(systemClock, checkTimeoutMs, undefined, slow)
    const left = await bucket.scratch.clear(limit)
    limit.clear()
    if (left.length > 0) say(`could not be removed from the bucket again: ${left.join(', ')}`)
  }
}

async function allChecks(
  config: Config,
  urls: DoctorUrls,
  bucket: BucketProbes,
  wait: Wait,
): Promise<readonly Check[]> {
  const access = accessRules(config)
  const keys = await signingKeys(config, access, bucket.reader, wait)
  const signer =
    'missing' in keys
      ? undefined
      : createTokenSigner({
          current: () => keys.current(),
          service: access.service ?? defaultService,
          clock: systemClock,
        })
  const visitor = createVisitor(access, signer, systemRandom)
  const { reader, scratch, readOnly } = bucket
  const places = await placesOf(config, urls)
  const { edge, origin, ask } = places
  const shared = { edge, ask, scratch, visitor, clock: systemClock, random: systemRandom, readOnly }
  const { public_url: publicUrl } = config.origin
  const clientUrl = bucketUrl(config)
  const bucketUrls = [...new Set([config.bucket.s3_url ?? clientUrl, clientUrl])]
  const others = bucketUrls.map((url): Place => ({ name: 'bucket', url, ask }))
  if (publicUrl !== undefined) others.push({ name: 'origin.public_url', url: publicUrl, ask })
  return [
    ...bucketChecks(bucket, systemRandom),
    ...networkChecks([edge, origin, ...others], systemClock),
    ...accessChecks({
      reader,
      clock: systemClock,
      document: accessDocument(config, access, []),
      signingKey: await publicHalf(keys),
    }),
    ...processChecks({
      origin,
      edge,
      visitor,
      random: systemRandom,
      trustsProxies: config.http.trusted_proxies !== undefined,
    }),
    ...pullChecks({ ...shared, bucketUrls, prefix: s3Access(config)?.prefix ?? '' }),
    ...uploadChecks({ ...shared, publicUrl }),
  ]
}

async function bucketProbes(config: Config): Promise<BucketProbes> {
  const place = bucketPlace(config)
  const readOnly = config.access.read_only ? 'access.read_only is set, so nothing is written' : undefined
  const access = s3Access(config)
  if (access === undefined) {
    const folder = bucketFolder(config)
    return {
      place,
      readOnly,
      reader: createFsBucketReader({ folder }),
      scratch: createScratch(() => createFsBucket({ folder, random: systemRandom })),
      reach: (wait) => folderReadable(folder).check(wait),
      conditions: undefined,
    }
  }
  const [{ connectS3 }, { createS3Bucket }, { probeConditionalWrites }] = await Promise.all([
    import('../bucket/s3-connection.ts'),
    import('../bucket/s3-bucket.ts'),
    import('../bucket/s3-conditions.ts'),
  ])
  const s3 = connectS3({
    access,
    clock: systemClock,
    timeoutMs: Math.min(config.bucket.s3_timeout_ms, checkTimeoutMs / 2),
  })
  const bucket = createS3Bucket(s3)
  return {
    place,
    readOnly,
    reader: bucket,
    scratch: createScratch(async () => bucket),
    reach: async () => {},
    conditions: (wait) => probeConditionalWrites(s3, systemRandom, wait),
  }
}

/** An address that nobody gave shows our own certificate, which need not name it. */
async function placesOf(config: Config, urls: DoctorUrls) {
  const ask = createAsk(streamingFetch)
  const tls = tlsFiles(config)
  let own: Fetch | undefined
  if (tls !== undefined) {
    const { ownCertificateAgent } = await import('../tls/own-certificate-agent.ts')
    own = createStreamingFetch(ownCertificateAgent(tls.certFile))
  }
  const ours = own === undefined ? ask : createAsk(own)
  const place = (name: string, given: string | undefined, local: string): Place =>
    given === undefined ? { name, url: local, ask: ours, isOwn: true } : { name, url: given, ask }
  return {
    ask,
    edge: place('edge', urls.edge, localEdgeUrl(config)),
    origin: place('origin', urls.origin ?? config.edge.origin_url, localOriginUrl(config)),
  }
}

/** The keys that sign here, or why there are none: to look must not make them. */
async function signingKeys(
  config: Config,
  access: AccessRules,
  reader: BucketReader,
  wait: Wait,
): Promise<TokenKeys | { readonly missing: string }> {
  if (!hasUsers(access)) return { missing: 'nobody can sign in' }
  const records = await edgeRecords(config, async () => reader)
  try {
    if ((await records.read(tokenKeyName, wait)) !== undefined) return await openTokenKeys(records, systemClock, wait)
  } catch (error) {
    if (error instanceof SealedRecordError || error instanceof UpstreamError) return { missing: error.message }
    throw error
  }
  return {
    missing: `there is no ${records.where(tokenKeyName)}: run this where the data folder of the origin is, or with its origin.key`,
  }
}

async function publicHalf(
  keys: TokenKeys | { readonly missing: string },
): Promise<PublicKey | { readonly missing: string }> {
  if ('missing' in keys) return keys
  const { id } = await keys.current()
  const found = (await keys.published()).find(({ kid }) => kid === id)
  return found ?? { missing: `the key ${id} is just being replaced; ask again` }
}
