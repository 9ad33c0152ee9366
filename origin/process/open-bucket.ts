// The bucket's folder, opened by who writes to it.

import type { Bucket } from '../../shared/ports/bucket.ts'
import { deadline } from '../../shared/ports/clock.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { hasFormat, writeFormat } from '../../shared/registry/bucket-format.ts'
import { createFsBucket, createFsBucketReader } from '../bucket/fs-bucket.ts'
import { readOnlyBucket } from '../bucket/read-only-bucket.ts'
import type { Config } from '../config/schema.ts'
import { systemClock, systemRandom } from './system-ports.ts'

/** The folder as a bucket, of a format that we know. Nothing is written before that is certain. */
export async function openBucket(config: Config, folder: string): Promise<Bucket> {
  const { request_timeout_ms: timeoutMs } = config.origin
  const slow = () => new UpstreamError('bucket', `no answer within ${timeoutMs} ms`)
  const limit = deadline(systemClock, timeoutMs, undefined, slow)
  try {
    const reader = createFsBucketReader({ folder })
    const known = await hasFormat(reader, limit)
    if (config.access.read_only) return readOnlyBucket(reader)
    const bucket = await createFsBucket({ folder, random: systemRandom })
    if (!known) await writeFormat(bucket, limit)
    return bucket
  } finally {
    limit.clear()
  }
}
