// Where accounts are kept, as the configuration has it: a folder, or the bucket that several origins share.

import type { Bucket, BucketReader } from '../../shared/ports/bucket.ts'
import type { Log } from '../../shared/ports/log.ts'
import { unhurried } from '../../shared/ports/unhurried.ts'
import { createBucketRecords, proveSeal } from '../accounts/bucket-records.ts'
import { createFolderRecords } from '../accounts/folder-records.ts'
import { type Records, SealedRecordError } from '../accounts/records.ts'
import { takeRecords } from '../accounts/take-records.ts'
import { readOnlyBucket } from '../bucket/read-only-bucket.ts'
import { accountsFolder, accountsSecret } from '../config/addresses.ts'
import { ConfigError } from '../config/config-error.ts'
import type { Config } from '../config/schema.ts'

/**
 * The accounts, to read and to change. Rejects with ConfigError where those in the bucket were sealed with another secret.
 * @param bucket is opened only where they are in it
 */
export async function openRecords(config: Config, bucket: () => Promise<Bucket>): Promise<Records> {
  const secret = accountsSecret(config)
  if (secret === undefined) return createFolderRecords(accountsFolder(config))
  const records = await createBucketRecords(await bucket(), secret)
  try {
    await proveSeal(records, unhurried)
  } catch (error) {
    if (!(error instanceof SealedRecordError)) throw error
    throw new ConfigError([`origin.key: must be the same at all origins; ${error.message}`])
  }
  return records
}

/** The same for an origin that starts; where it is the first one with `origin.key`, the bucket takes what is in the folder. */
export async function startRecords(config: Config, bucket: Bucket, log: Log): Promise<Records> {
  const records = await openRecords(config, async () => bucket)
  if (accountsSecret(config) === undefined || config.access.read_only) return records
  const folder = accountsFolder(config)
  const taken = await takeRecords({ from: createFolderRecords(folder), to: records }, unhurried)
  if (taken > 0)
    log.info('tokens and keys were taken into the bucket; those in the folder count no more', { folder, taken })
  return records
}

/** The same for an edge, which makes none. */
export async function edgeRecords(config: Config, bucket: () => Promise<BucketReader>): Promise<Records> {
  const secret = accountsSecret(config)
  if (secret === undefined) return createFolderRecords(accountsFolder(config))
  const records = await createBucketRecords(readOnlyBucket(await bucket()), secret)
  return {
    ...records,
    create: (name) =>
      Promise.reject(
        new Error(`${records.where(name)} is not there yet: start the origin once, or set edge.key at both`),
      ),
  }
}
