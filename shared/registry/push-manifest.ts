// Takes a manifest push: checks it, stores it, names it.

import pMap from 'p-map'
import { blobKey, linkContent, revisionLinkKey, tagIndexLinkKey, tagLinkKey } from '../layout/keys.ts'
import type { Publisher } from './publish-image.ts'
import type { Bucket, BucketReader, Wait } from '../ports/bucket.ts'
import type { Cid } from '../protocol/cid.ts'
import { algorithmOf, type Digest, digestOf } from '../protocol/digest.ts'
import { OciError } from '../protocol/errors.ts'
import { type Manifest, parseManifest, type Part } from '../protocol/manifest.ts'
import type { Reference, RepositoryName, Tag } from '../protocol/names.ts'
import { BlockedContent, refuseBlocked } from './blocked.ts'
import { removeManifest, removeTag } from './delete.ts'
import type { ImmutableTags, SetTag } from './immutable-tags.ts'
import { hasBlob, readTag } from './links.ts'
import { recordReferrer } from './referrers.ts'

/** Looks into the bucket at once; a manifest of 4 MiB can name 25,000 blobs. */
const checksAtOnce = 32

export interface ManifestPush {
  readonly name: RepositoryName
  readonly reference: Reference
  readonly bytes: Uint8Array<ArrayBuffer>
  /** As the client sent it. */
  readonly contentType: string | undefined
  /** Tags to set beside the reference (`?tag=`). */
  readonly tags: readonly Tag[]
}

export interface PushedManifest {
  readonly digest: Digest
  /** The repository that holds it: another than it was pushed to where names are not kept. */
  readonly holder: RepositoryName
  /** Where the image is on IPFS; undefined where it is not, or has no root. */
  readonly root: Cid | undefined
  readonly subject: Digest | undefined
}

export interface PushRules {
  /** Whether a manifest may name blobs that are not in its repository. */
  readonly allowSparse: boolean
  /** Puts images on IPFS; undefined where none go there. */
  readonly publisher?: Publisher | undefined
  /** The same for all that writes; undefined where every tag may move. */
  readonly immutable?: ImmutableTags | undefined
}

/**
 * Stores a manifest and returns its digest. When it resolves, the manifest and its name are durable.
 *
 * The order of writes makes a crash at any point leave garbage, never a name without content: bytes, then the image on IPFS, then the entry among
 * its subject's referrers (which counts only with the revision link), then the revision link, then tags. Of the tag, `current` comes before `index`, so that a tag's folder exists exactly where the tag does
 * (decision 0002). Where names are not kept there is the revision link alone, in the repository that the digest names
 * (decision 0010).
 * @throws OciError MANIFEST_INVALID, DIGEST_INVALID, MANIFEST_BLOB_UNKNOWN, DENIED where it or a part of it is blocked
 * or an immutable tag names another; nothing was written then, unless another process set that tag meanwhile
 */
export async function pushManifest(
  bucket: Bucket,
  push: ManifestPush,
  rules: PushRules,
  wait: Wait,
): Promise<PushedManifest> {
  const { name, reference, bytes } = push
  const digest = await digestOf(bytes, reference.kind === 'digest' ? algorithmOf(reference.digest) : 'sha256')
  if (reference.kind === 'digest' && digest !== reference.digest) {
    throw new OciError('DIGEST_INVALID', `the manifest's digest is ${digest}, not ${reference.digest}`)
  }
  const manifest = parseManifest(bytes, push.contentType)
  const all: [Digest, ...Digest[]] = [digest, ...new Set(manifest.parts.map((part) => part.digest))]
  await refuseBlocked(bucket, all, wait)
  if (!rules.allowSparse) await refuseMissingBlobs(bucket, name, manifest.parts, wait)

  const holder = holderOf(rules, name, digest)
  if (holder !== name) {
    await bucket.write(blobKey(digest), bytes, wait)
    const root = await rules.publisher?.publish(name, digest, wait)
    await publishNameless(bucket, digest, holder, root, wait)
    await takeBackBlocked(bucket, holder, { all, tags: new Set() }, rules, wait)
    return { digest, holder, root, subject: undefined }
  }
  const tags = new Set(reference.kind === 'tag' ? [reference.tag, ...push.tags] : push.tags)
  const store = (setTag: SetTag) => storeNamed(bucket, { name, bytes, manifest, all, tags }, rules, wait, setTag)
  return rules.immutable === undefined
    ? store((tag) => bucket.write(tagLinkKey(name, tag), linkContent(digest), wait))
    : rules.immutable.whileSetting(bucket, { name, tags, digest }, wait, store)
}

/** The repository that a pushed manifest gets into, and its tags only if that is the one it is pushed to. */
export function holderOf({ publisher }: PushRules, name: RepositoryName, digest: Digest): RepositoryName {
  return publisher?.holderOf(name, digest) ?? name
}

interface CheckedManifest {
  readonly name: RepositoryName
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly manifest: Manifest
  /** Its own digest, then those of its parts. */
  readonly all: readonly [Digest, ...Digest[]]
  readonly tags: ReadonlySet<Tag>
}

async function storeNamed(
  bucket: Bucket,
  { name, bytes, manifest, all, tags }: CheckedManifest,
  rules: PushRules,
  wait: Wait,
  setTag: SetTag,
): Promise<PushedManifest> {
  const [digest] = all
  await bucket.write(blobKey(digest), bytes, wait)
  const root = await rules.publisher?.publish(name, digest, wait)
  const { subject } = manifest
  if (subject !== undefined) {
    await recordReferrer(bucket, name, subject, { digest, sizeBytes: bytes.byteLength, manifest }, wait)
  }
  await bucket.write(revisionLinkKey(name, digest), linkContent(digest), wait)
  for (const tag of tags) {
    wait.signal.throwIfAborted()
    await setTag(tag)
    await bucket.write(tagIndexLinkKey(name, tag, digest), linkContent(digest), wait)
  }
  await takeBackBlocked(bucket, name, { all, tags }, rules, wait)
  return { digest, holder: name, root, subject }
}

/** Only its content names lead to the manifest then, and they are those of an image with a root. */
async function publishNameless(
  bucket: Bucket,
  digest: Digest,
  holder: RepositoryName,
  root: Cid | undefined,
  wait: Wait,
): Promise<void> {
  if (root === undefined)
    throw new OciError(
      'MANIFEST_INVALID',
      'only content names are kept here (push.names), and it would get none: something of the image is missing in its repository, or there are too many parts',
    )
  await bucket.write(revisionLinkKey(holder, digest), linkContent(digest), wait)
}

/** Who blocks it marks it first, and then takes its names away: those that came meanwhile are ours to take back. */
async function takeBackBlocked(
  bucket: Bucket,
  name: RepositoryName,
  { all, tags }: { readonly all: readonly [Digest, ...Digest[]]; readonly tags: ReadonlySet<Tag> },
  { publisher }: PushRules,
  wait: Wait,
): Promise<void> {
  try {
    await refuseBlocked(bucket, all, wait)
  } catch (error) {
    if (!(error instanceof BlockedContent)) throw error
    const [digest] = all
    await removeManifest(bucket, name, digest, wait)
    // One that was taken away between its two links has a half left, which would be listed.
    for (const tag of tags)
      if ((await readTag(bucket, name, tag, wait)) === undefined) await removeTag(bucket, name, tag, wait)
    await publisher?.withdraw(name, digest, wait)
    throw error
  }
}

/** A blob must belong to this repository, unless each descriptor of it says where else it can be fetched. */
async function refuseMissingBlobs(
  bucket: BucketReader,
  name: RepositoryName,
  parts: readonly Part[],
  wait: Wait,
): Promise<void> {
  const needed = [...new Set(parts.filter(isNeeded).map((part) => part.digest))]
  const found = await pMap(needed, (digest) => hasBlob(bucket, name, digest, wait), { concurrency: checksAtOnce })
  const missing = needed.filter((_, at) => !found[at])
  if (missing.length === 0) return
  const shown = missing.slice(0, 10).join(', ') + (missing.length > 10 ? ', …' : '')
  throw new OciError(
    'MANIFEST_BLOB_UNKNOWN',
    `${missing.length} blob(s) of the manifest are not in ${name}: ${shown}; push them first`,
  )
}

function isNeeded(part: Part): boolean {
  return part.kind === 'blob' && !part.hasUrls
}
