// Where a blob stands: does it belong to the repository, and are its bytes there?

import type { AccessRules } from '../auth/access.ts'
import { blobKey } from '../layout/keys.ts'
import type { BucketReader, Wait } from '../ports/bucket.ts'
import type { Digest } from '../protocol/digest.ts'
import { OciError } from '../protocol/errors.ts'
import { parseContentName, type RepositoryName } from '../protocol/names.ts'
import { mayServeFromBucket, viewedBlob, type Views } from './content-view.ts'
import { hasBlob } from './links.ts'

export interface BlobState {
  /** It belongs to the repository, and may be served from the bucket. */
  readonly linked: boolean
  /** Size of its bytes; undefined where they are missing, or in a view not as many as the image's record says. */
  readonly sizeBytes: number | undefined
}

/** A blob of a repository. Asks for both at once: each is one look into the bucket. */
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

export interface FindDeps {
  readonly bucket: BucketReader
  readonly access: AccessRules
  readonly views: Views
}

/** A blob under any name, also one that is a content name. */
export async function findBlobUnder(
  deps: FindDeps,
  name: RepositoryName,
  digest: Digest,
  wait: Wait,
): Promise<BlobState> {
  const content = parseContentName(name)
  const view = content && (await deps.views.find(content, wait))
  if (!view) return findBlob(deps.bucket, name, digest, wait)
  const blob = viewedBlob(view, digest)
  if (blob === undefined) return { linked: false, sizeBytes: undefined }
  const [linked, sizeBytes] = await Promise.all([
    mayServeFromBucket(deps, view, digest, wait),
    deps.bucket.head(blobKey(digest), wait),
  ])
  // What was cut short is as good as missing.
  return { linked, sizeBytes: sizeBytes === blob.sizeBytes ? sizeBytes : undefined }
}

export function blobUnknown(name: RepositoryName, digest: Digest): OciError {
  return new OciError('BLOB_UNKNOWN', `${name} has no blob ${digest}`)
}
