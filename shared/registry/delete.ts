// Deletes: takes names away. The bytes stay until garbage collection, as another repository may have them.
// Source: OCI distribution-spec 1.1, "Content Management".

import pMap from 'p-map'
import {
  layerLinkKey,
  linkIn,
  referrerKey,
  revisionLinkKey,
  tagIndexPrefix,
  tagLinkKey,
  type KeyPrefix,
} from '../layout/keys.ts'
import type { Bucket, Wait } from '../ports/bucket.ts'
import type { Digest } from '../protocol/digest.ts'
import { OciError, UpstreamError } from '../protocol/errors.ts'
import { parseManifest } from '../protocol/manifest.ts'
import type { RepositoryName, Tag } from '../protocol/names.ts'
import { blobUnknown } from './find-blob.ts'
import type { ImmutableTags } from './immutable-tags.ts'
import { hasBlob, hasManifest, readTag } from './links.ts'
import { tagsAfter } from './list-tags.ts'
import { manifestUnknown } from './pull-manifest.ts'
import { readManifest } from './read-manifest.ts'

/** Looks into the bucket at once, when all tags of a repository are read. */
const readsAtOnce = 32

export interface DeleteRules {
  /** The same for all that writes; undefined where every tag may be deleted. */
  readonly immutable?: ImmutableTags | undefined
}

/** @throws OciError MANIFEST_UNKNOWN, DENIED where the tag is immutable */
export async function deleteTag(
  bucket: Bucket,
  { immutable }: DeleteRules,
  name: RepositoryName,
  tag: Tag,
  wait: Wait,
): Promise<void> {
  if ((await bucket.head(tagLinkKey(name, tag), wait)) === undefined) throw manifestUnknown(name, { kind: 'tag', tag })
  immutable?.refuseDelete(name, tag)
  await removeTag(bucket, name, tag, wait)
}

/** Its history first: while `current` is there the tag is, and a delete that broke off can be repeated (decision 0002). */
export async function removeTag(bucket: Bucket, name: RepositoryName, tag: Tag, wait: Wait): Promise<void> {
  for await (const algorithm of bucket.list(tagIndexPrefix(name, tag), '', wait)) {
    for await (const digest of bucket.list(algorithm.path as KeyPrefix, '', wait)) {
      await bucket.remove(linkIn(digest.path), wait)
    }
  }
  await bucket.remove(tagLinkKey(name, tag), wait)
}

/**
 * Deletes a manifest and every tag that names it. The order makes a crash leave garbage, never a tag without its
 * manifest: tags, then the revision link, then the entry in its subject's referrers.
 * @throws OciError MANIFEST_UNKNOWN, DENIED where an immutable tag names it
 */
export async function deleteManifest(
  bucket: Bucket,
  { immutable }: DeleteRules,
  name: RepositoryName,
  digest: Digest,
  wait: Wait,
): Promise<void> {
  if (!(await hasManifest(bucket, name, digest, wait))) throw manifestUnknown(name, { kind: 'digest', digest })
  const remove = (removeWait: Wait) => removeManifest(bucket, name, digest, removeWait)
  if (immutable === undefined) await remove(wait)
  else await immutable.whileDeleting(bucket, name, digest, wait, remove)
}

/** The same, for what may be there only in part. */
export async function removeManifest(bucket: Bucket, name: RepositoryName, digest: Digest, wait: Wait): Promise<void> {
  const subject = await subjectOf(bucket, digest, wait)
  const tags = await tagsAfter(bucket, name, undefined, wait)
  const named = await pMap(tags, (tag) => readTag(bucket, name, tag, wait), { concurrency: readsAtOnce })
  for (const [at, tag] of tags.entries()) if (named[at] === digest) await removeTag(bucket, name, tag, wait)
  await bucket.remove(revisionLinkKey(name, digest), wait)
  if (subject !== undefined) await bucket.remove(referrerKey(name, subject, digest), wait)
}

/** A manifest whose bytes are gone or damaged can be deleted too: its entry among the referrers then counts for nothing. */
async function subjectOf(bucket: Bucket, digest: Digest, wait: Wait): Promise<Digest | undefined> {
  try {
    const stored = await readManifest(bucket, digest, wait)
    return stored === undefined ? undefined : parseManifest(stored.bytes, undefined).subject
  } catch (error) {
    wait.signal.throwIfAborted()
    if (error instanceof OciError || error instanceof UpstreamError) return undefined
    throw error
  }
}

/** @throws OciError BLOB_UNKNOWN */
export async function deleteBlob(bucket: Bucket, name: RepositoryName, digest: Digest, wait: Wait): Promise<void> {
  if (!(await hasBlob(bucket, name, digest, wait))) throw blobUnknown(name, digest)
  await bucket.remove(layerLinkKey(name, digest), wait)
}
