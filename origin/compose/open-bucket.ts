// The bucket as the configuration has it, opened by who writes to it: a folder, or one on S3. S3's library is loaded where
// it is used, since it takes memory.

import type { Bucket, Wait } from '../../shared/ports/bucket.ts'
import { deadline } from '../../shared/concurrency/deadline.ts'
import type { Log } from '../../shared/ports/log.ts'
import type { ReadinessCheck } from '../../shared/ports/readiness.ts'
import type { Uploads } from '../../shared/ports/uploads.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { hasFormat, writeFormat } from '../../shared/registry/bucket-format.ts'
import { bucketReadable } from '../../shared/http/health.ts'
import { folderReadable, folderWritable } from '../bucket/folder-checks.ts'
import { createFsBucket, createFsBucketReader } from '../bucket/fs-bucket.ts'
import { readOnlyBucket } from '../bucket/read-only-bucket.ts'
import type { S3Access } from '../bucket/s3-connection.ts'
import { createFsUploads } from '../upload/fs-uploads.ts'
import { createHashingThreads } from '../upload/hashing-threads.ts'
import { bucketFolder, s3Access } from '../config/addresses.ts'
import type { Config } from '../config/schema.ts'
import { systemClock, systemRandom } from './system-ports.ts'

export interface OpenBucket {
  readonly bucket: Bucket
  readonly uploads: Uploads
  /** What `/readyz` looks at. */
  readonly checks: readonly ReadinessCheck[]
  /** Whether the server of a bucket on S3 decides between origins that write at once; undefined: no other may be there, or nothing is written. */
  readonly conditionalWrites?: boolean
}

/** The bucket, of a format that we know. Nothing is written before that is certain. */
export async function openBucket(config: Config, log: Log): Promise<OpenBucket> {
  const { request_timeout_ms: timeoutMs } = config.origin
  const slow = () => new UpstreamError('bucket', `no answer within ${timeoutMs} ms`)
  const limit = deadline(systemClock, timeoutMs, undefined, slow)
  try {
    const access = s3Access(config)
    return await (access === undefined ? openFolder(config, limit) : openS3(config, access, log, limit))
  } finally {
    limit.clear()
  }
}

/** Where the bucket is, for people. */
export function bucketPlace(config: Config): string {
  const { s3_url: url, prefix } = config.bucket
  if (url === undefined) return bucketFolder(config)
  return prefix === undefined ? url : `${url}/${prefix}`
}

async function openFolder(config: Config, wait: Wait): Promise<OpenBucket> {
  const folder = bucketFolder(config)
  const reader = createFsBucketReader({ folder })
  const uploads = createFsUploads({ folder, threads: createHashingThreads() })
  const known = await hasFormat(reader, wait)
  if (config.access.read_only) return { bucket: readOnlyBucket(reader), uploads, checks: [folderReadable(folder)] }
  const bucket = await createFsBucket({ folder, random: systemRandom })
  if (!known) await writeFormat(bucket, wait)
  return { bucket, uploads, checks: [folderReadable(folder), folderWritable(folder, systemRandom)] }
}

async function openS3(config: Config, access: S3Access, log: Log, wait: Wait): Promise<OpenBucket> {
  const [{ connectS3 }, { createS3Bucket }, { probeConditionalWrites }, { createS3Uploads }] = await Promise.all([
    import('../bucket/s3-connection.ts'),
    import('../bucket/s3-bucket.ts'),
    import('../bucket/s3-conditions.ts'),
    import('../upload/s3-uploads.ts'),
  ])
  const s3 = connectS3({ access, clock: systemClock, timeoutMs: config.bucket.s3_timeout_ms })
  const known = await hasFormat(createS3Bucket(s3), wait)
  const openWith = (conditional: boolean) => {
    const bucket = createS3Bucket(s3, { conditional })
    const memoryBytes = config.bucket.upload_memory_mib * 1024 * 1024
    const uploads = createS3Uploads({ s3, bucket, random: systemRandom, conditional, memoryBytes })
    return { bucket, uploads, checks: [bucketReadable(bucket)] }
  }
  if (config.access.read_only) {
    const reading = openWith(false)
    return { ...reading, bucket: readOnlyBucket(reading.bucket) }
  }
  const { ifNoneMatch } = await probeConditionalWrites(s3, systemRandom, wait)
  if (!ifNoneMatch)
    log.warn('the bucket’s server does not honour If-None-Match: no other origin may write to this bucket', {
      bucket: bucketPlace(config),
    })
  const opened = openWith(ifNoneMatch)
  if (!known) await writeFormat(opened.bucket, wait)
  return { ...opened, conditionalWrites: ifNoneMatch }
}
