// Makes a blob of another repository belong to this one too, without moving a byte.
// Source: OCI distribution-spec 1.1, "Mounting a blob from another repository".

import { blobKey } from '../layout/keys.ts'
import type { Bucket, Wait } from '../ports/bucket.ts'
import type { Digest } from '../protocol/digest.ts'
import type { RepositoryName } from '../protocol/names.ts'
import { refuseBlocked } from './blocked.ts'
import { findBlob } from './find-blob.ts'
import { linkBlob } from './link-blob.ts'

/**
 * Whether the mount was made.
 * @param isAllowed whether who asks may pull from `from`, or, without it, from everywhere
 * @param from undefined: from wherever it is
 * @throws BlockedContent
 */
export async function mountBlob(
  bucket: Bucket,
  isAllowed: boolean,
  name: RepositoryName,
  digest: Digest,
  from: RepositoryName | undefined,
  wait: Wait,
): Promise<boolean> {
  await refuseBlocked(bucket, [digest], wait)
  if (!isAllowed) return false
  const source =
    from === undefined
      ? { linked: true, sizeBytes: await bucket.head(blobKey(digest), wait) }
      : await findBlob(bucket, from, digest, wait)
  if (!source.linked || source.sizeBytes === undefined) return false
  await linkBlob(bucket, name, digest, wait)
  return true
}
