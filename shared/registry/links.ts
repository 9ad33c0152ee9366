// Links: small objects that say what a tag names and what belongs to a repository.

import { layerLinkKey, parseLink, revisionLinkKey, tagLinkKey } from '../layout/keys.ts'
import type { BucketReader, Wait } from '../ports/bucket.ts'
import type { Digest } from '../protocol/digest.ts'
import { UpstreamError } from '../protocol/errors.ts'
import type { RepositoryName, Tag } from '../protocol/names.ts'

/** Bytes; the longest link is a sha512 digest, with room for a newline that another tool may have added. */
const linkLimitBytes = 256

/** What a tag names now. Rejects with UpstreamError where the link is damaged: that is no proof that there is no tag. */
export async function readTag(
  bucket: BucketReader,
  name: RepositoryName,
  tag: Tag,
  wait: Wait,
): Promise<Digest | undefined> {
  const key = tagLinkKey(name, tag)
  const bytes = await bucket.read(key, linkLimitBytes, wait)
  if (bytes === undefined) return undefined
  const digest = parseLink(bytes)
  if (digest === undefined) throw new UpstreamError('bucket', `${key} holds no digest; push the tag again`)
  return digest
}

/** Whether a manifest belongs to a repository. */
export async function hasManifest(
  bucket: BucketReader,
  name: RepositoryName,
  digest: Digest,
  wait: Wait,
): Promise<boolean> {
  return (await bucket.head(revisionLinkKey(name, digest), wait)) !== undefined
}

/** Whether a blob belongs to a repository. */
export async function hasBlob(
  bucket: BucketReader,
  name: RepositoryName,
  digest: Digest,
  wait: Wait,
): Promise<boolean> {
  return (await bucket.head(layerLinkKey(name, digest), wait)) !== undefined
}
