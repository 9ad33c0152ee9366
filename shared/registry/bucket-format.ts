// The version of what lies under `mirrorball/` in a bucket. Only origins look at it: docs/decisions/0006 says why.

import { formatKey } from '../layout/keys.ts'
import type { Bucket, BucketReader, Wait } from '../ports/bucket.ts'

/** Raised when what lies under `mirrorball/` changes so that this code would misread or damage it. */
export const bucketFormat = 1

/** Bytes; what is larger is no such object. */
const formatLimitBytes = 256

/**
 * Whether the bucket says its format; one that Distribution wrote, or that is empty, does not, and is served as it is.
 * @throws Error that says what to do, where the format is another than ours, or cannot be made out
 */
export async function hasFormat(bucket: BucketReader, wait: Wait): Promise<boolean> {
  const bytes = await bucket.read(formatKey, formatLimitBytes, wait)
  if (bytes === undefined) return false
  const format = parseFormat(bytes)
  if (format === undefined) {
    throw new Error(
      `${formatKey} in the bucket is damaged. If nothing but this version of Mirrorball has written to the bucket, ` +
        'remove that object, and start again',
    )
  }
  if (format !== bucketFormat) {
    throw new Error(
      `the bucket has format ${format}, and this version of Mirrorball knows format ${bucketFormat} only. ` +
        'Run the version that wrote to it last, or a newer one, or name another bucket.folder',
    )
  }
  return true
}

/** Writes the format. Origins that do so at once write the same. */
export async function writeFormat(bucket: Bucket, wait: Wait): Promise<void> {
  await bucket.write(formatKey, new TextEncoder().encode(`${JSON.stringify({ format: bucketFormat })}\n`), wait)
}

function parseFormat(bytes: Uint8Array): number | undefined {
  try {
    const document: unknown = JSON.parse(new TextDecoder().decode(bytes))
    const format =
      typeof document === 'object' && document !== null && 'format' in document ? document.format : undefined
    return typeof format === 'number' && Number.isInteger(format) ? format : undefined
  } catch {
    return undefined
  }
}
