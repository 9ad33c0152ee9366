// Makes a blob of another repository belong to this one too, without moving a byte.
// Source: OCI distribution-spec 1.1, "Mounting a blob from another repository".

import { type AccessRules, isAllPublic, isPublic } from '../auth/access.ts'
import { blobKey } from '../layout/keys.ts'
import type { Bucket, Wait } from '../ports/bucket.ts'
import type { Digest } from '../protocol/digest.ts'
import type { RepositoryName } from '../protocol/names.ts'
import { refuseBlocked } from './blocked.ts'
import { findBlob } from './find-blob.ts'
import { linkBlob } from './link-blob.ts'

/**
 * Whether the mount was made. A mount takes the right to pull from `from`; without it, from every
 * repository.
 * @throws BlockedContent
 */
export async function mountBlob(
  bucket: Bucket,
  access: AccessRules,
  name: RepositoryName,
  digest: Digest,
  from: RepositoryName | undefined,
  wait: Wait,
): Promise<boolean> {
  await refuseBlocked(bucket, [digest], wait)
  if (from === undefined ? !isAllPublic(access) : !isPublic(access, from)) return false
  const source =
    from === undefined
      ? { linked: true, sizeBytes: await bucket.head(blobKey(digest), wait) }
      : await findBlob(bucket, from, digest, wait)
  if (!source.linked || source.sizeBytes === undefined) return false
  await linkBlob(bucket, name, digest, wait)
  return true
}
