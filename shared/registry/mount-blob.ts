// Makes a blob of another repository belong to this one too, without moving a byte.
// Source: OCI distribution-spec 1.1, "Mounting a blob from another repository".

import { blobKey, layerLinkKey, linkContent } from '../layout/keys.ts'
import type { Bucket, Wait } from '../ports/bucket.ts'
import type { Digest } from '../protocol/digest.ts'
import type { RepositoryName } from '../protocol/names.ts'
import { findBlob } from './find-blob.ts'

/**
 * Whether the mount was made. Without `from`, any repository will do: today everyone who may push may pull everything.
 */
export async function mountBlob(
  bucket: Bucket,
  name: RepositoryName,
  digest: Digest,
  from: RepositoryName | undefined,
  wait: Wait,
): Promise<boolean> {
  const source =
    from === undefined
      ? { linked: true, sizeBytes: await bucket.head(blobKey(digest), wait) }
      : await findBlob(bucket, from, digest, wait)
  if (!source.linked || source.sizeBytes === undefined) return false
  await bucket.write(layerLinkKey(name, digest), linkContent(digest), wait)
  return true
}
