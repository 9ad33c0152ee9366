// A stored manifest: its bytes, checked, and the media type to serve them with.

import { blobKey } from '../layout/keys.ts'
import type { BucketReader, Wait } from '../ports/bucket.ts'
import { algorithmOf, type Digest, digestOf } from '../protocol/digest.ts'
import { UpstreamError } from '../protocol/errors.ts'
import { manifestLimitBytes, storedMediaType } from '../protocol/manifest.ts'

export interface StoredManifest {
  readonly digest: Digest
  readonly mediaType: string
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** The bytes under a manifest's digest are others. */
export class DamagedManifest extends UpstreamError {
  constructor(digest: Digest) {
    super('bucket', `the bytes of ${digest} are damaged; push the manifest again`)
  }
}

/**
 * Reads the manifest that has this digest; says nothing about whose it is. The bytes are hashed each time, because
 * others may write the bucket too, and because a disk can rot: wrong bytes are a fault of the bucket, never an answer.
 * @throws DamagedManifest
 */
export async function readManifest(
  bucket: BucketReader,
  digest: Digest,
  wait: Wait,
): Promise<StoredManifest | undefined> {
  const bytes = await bucket.read(blobKey(digest), manifestLimitBytes, wait)
  if (bytes === undefined) return undefined
  if ((await digestOf(bytes, algorithmOf(digest))) !== digest) throw new DamagedManifest(digest)
  return { digest, mediaType: storedMediaType(bytes), bytes }
}
