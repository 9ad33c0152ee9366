// Where a blob stands: does it belong to the repository, and are its bytes there?

import { blobKey } from '../layout/keys.ts'
import type { BucketReader, Wait } from '../ports/bucket.ts'
import type { Digest } from '../protocol/digest.ts'
import { OciError } from '../protocol/errors.ts'
import type { RepositoryName } from '../protocol/names.ts'
import { hasBlob } from './links.ts'

export interface BlobState {
  /** It belongs to the repository. */
  readonly linked: boolean
  /** Size of its bytes; undefined where they are missing. */
  readonly sizeBytes: number | undefined
}

/** Asks for both at once: each is one look into the bucket. */
export async function findBlob(
  bucket: BucketReader,
  name: RepositoryName,
  digest: Digest,
  wait: Wait,
): Promise<BlobState> {
  const [linked, sizeBytes] = await Promise.all([
    hasBlob(bucket, name, digest, wait),
    bucket.head(blobKey(digest), wait),
  ])
  return { linked, sizeBytes }
}

export function blobUnknown(name: RepositoryName, digest: Digest): OciError {
  return new OciError('BLOB_UNKNOWN', `${name} has no blob ${digest}`)
}
