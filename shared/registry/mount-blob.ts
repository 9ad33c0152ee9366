// Makes a blob of another repository belong to this one too, without moving a byte.
// Source: OCI distribution-spec 1.1, "Mounting a blob from another repository".

import { blobKey } from '../layout/keys.ts'
import type { Bucket, Wait } from '../ports/bucket.ts'
import type { Digest } from '../protocol/digest.ts'
import type { RepositoryName } from '../protocol/names.ts'
import { refuseBlocked } from './blocked.ts'
import { findBlob } from './find-blob.ts'
import { linkBlob } from './link-blob.ts'

/** Repositories that who asks may pull from; `everywhere` where that is all of them. */
export type MountSources = readonly RepositoryName[] | 'everywhere'

/**
 * Whether the mount was made.
 * @param sources looked into in turn
 * @throws BlockedContent
 */
export async function mountBlob(
  bucket: Bucket,
  sources: MountSources,
  name: RepositoryName,
  digest: Digest,
  wait: Wait,
): Promise<boolean> {
  await refuseBlocked(bucket, [digest], wait)
  if (!(await isIn(bucket, sources, digest, wait))) return false
  await linkBlob(bucket, name, digest, wait)
  return true
}

async function isIn(bucket: Bucket, sources: MountSources, digest: Digest, wait: Wait): Promise<boolean> {
  if (sources === 'everywhere') return (await bucket.head(blobKey(digest), wait)) !== undefined
  for (const source of sources) {
    const { linked, sizeBytes } = await findBlob(bucket, source, digest, wait)
    if (linked && sizeBytes !== undefined) return true
  }
  return false
}
