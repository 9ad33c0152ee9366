// Where accounts are kept, as the configuration has it: a folder, or the bucket that several origins share.

import type { Bucket, BucketReader } from '../../shared/ports/bucket.ts'
import { deadline } from '../../shared/concurrency/deadline.ts'
import type { Log } from '../../shared/ports/log.ts'
import { unhurried } from '../../shared/concurrency/unhurried.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { createBucketRecords, proveSeal } from '../accounts/bucket-records.ts'
import { createFolderRecords } from '../accounts/folder-records.ts'
import { type Records, SealedRecordError } from '../accounts/records.ts'
import { takeRecords } from '../accounts/take-records.ts'
import { readOnlyBucket } from '../bucket/read-only-bucket.ts'
import { accountsFolder, accountsSecret } from '../config/addresses.ts'
import { ConfigError } from '../config/config-error.ts'
import type { Config } from '../config/schema.ts'
import type { OpenBucket } from './open-bucket.ts'
import { systemClock } from './system-ports.ts'

/**
 * The accounts, to read and to change. Rejects with ConfigError where those in the bucket were sealed with another secret.
 * @param bucket is opened only where they are in it
 */
export async function openRecords(config: Config, bucket: () => Promise<Bucket>): Promise<Records> {
  const secret = accountsSecret(config)
  if (secret === undefined) return createFolderRecords(accountsFolder(config))
  const sealed = await createBucketRecords(await bucket(), secret)
  const records = config.access.read_only ? makingNone(sealed, 'start an origin without access.read_only once') : sealed
  try {
    await proveSeal(records, unhurried)
  } catch (error) {
    if (!(error instanceof SealedRecordError)) throw error
    throw new ConfigError([`origin.key: must be the same at all origins; ${error.message}`])
  }
  return records
}

/** The same for an origin that starts; where it is the first one with `origin.key`, the bucket takes what is in the folder. */
export async function startRecords(
  config: Config,
  { bucket, conditionalWrites }: OpenBucket,
  log: Log,
): Promise<Records> {
  if (accountsSecret(config) !== undefined && conditionalWrites === false)
    throw new ConfigError([
      'origin.key: is for several origins, which the bucket’s server cannot have: it does not honour If-None-Match; leave it out, and accounts are in the data folder',
    ])
  const records = await openRecords(config, async () => bucket)
  if (accountsSecret(config) === undefined || config.access.read_only) return records
  const folder = accountsFolder(config)
  const { taken, left } = await takeRecords({ from: createFolderRecords(folder), to: records }, unhurried)
  if (taken.length > 0)
    log.info('tokens and keys were taken into the bucket; those in the folder count no more', {
      folder,
      taken: taken.length,
    })
  if (left.length > 0)
    log.warn('the bucket has other keys than the folder, which count no more: who was signed in signs in again', {
      folder,
      left: left.join(','),
    })
  return records
}

/** The same for an edge, which makes none. */
export async function edgeRecords(config: Config, bucket: () => Promise<BucketReader>): Promise<Records> {
  const secret = accountsSecret(config)
  if (secret === undefined) return createFolderRecords(accountsFolder(config))
  const records = await createBucketRecords(readOnlyBucket(await bucket()), secret)
  const { bucket_timeout_ms: timeoutMs } = config.edge
  return {
    ...makingNone(records, 'start the origin once, or set edge.key at both'),
    async read(name, { signal }) {
      const slow = () => new UpstreamError('bucket', `${records.where(name)}: no answer within ${timeoutMs} ms`)
      const limit = deadline(systemClock, timeoutMs, signal, slow)
      try {
        return await records.read(name, limit)
      } finally {
        limit.clear()
      }
    },
  }
}

/** @param advice for people, where a key is missing */
function makingNone(records: Records, advice: string): Records {
  return {
    ...records,
    create: (name) => Promise.reject(new Error(`${records.where(name)} is not there yet: ${advice}`)),
  }
}
