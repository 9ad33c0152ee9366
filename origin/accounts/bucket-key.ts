// The key that signs the URLs of the bucket process. Made once and kept beside the bucket, never in it: what lies in the
// bucket can be read through it.

import { randomBytes } from 'node:crypto'
import { basename, dirname } from 'node:path'
import * as v from 'valibot'
import { unhurried } from '../../shared/concurrency/unhurried.ts'
import { createFolderRecords } from './folder-records.ts'
import { keyInRecord, type KeyFormat } from './key-record.ts'

const bucketKeySchema = v.object({
  accessKeyId: v.pipe(v.string(), v.minLength(1)),
  secretAccessKey: v.pipe(v.string(), v.minLength(16)),
})

export type BucketKey = v.InferOutput<typeof bucketKeySchema>

const format: KeyFormat<BucketKey> = {
  make: () => ({
    accessKeyId: `mirrorball${randomBytes(8).toString('hex')}`,
    secretAccessKey: randomBytes(32).toString('hex'),
  }),
  write: (key) => `${JSON.stringify(key)}\n`,
  parse: (text) => v.parse(bucketKeySchema, JSON.parse(text)),
}

/**
 * The key in `file`; it is made where it is missing. Processes that start at once agree on one.
 * @throws Error where the file is damaged, naming it
 */
export function bucketKey(file: string): Promise<BucketKey> {
  return keyInRecord(createFolderRecords(dirname(file)), basename(file), format, unhurried)
}
