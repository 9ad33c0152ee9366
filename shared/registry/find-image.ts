// An image as the operator names it, whoever may pull it, and its root.

import type { Bucket, BucketReader, Wait } from '../ports/bucket.ts'
import type { Cid } from '../protocol/cid.ts'
import type { Digest } from '../protocol/digest.ts'
import type { ImageReference } from '../protocol/image-reference.ts'
import { type ContentName, parseContentName, type RepositoryName } from '../protocol/names.ts'
import { holdersOf } from './content-view.ts'
import { type ImageRecord, readImageRecord, readRoot } from './image-record.ts'
import { hasManifest, readTag } from './links.ts'
import { allRepositories } from './list-repositories.ts'
import type { Publisher } from './publish-image.ts'

export interface FoundImage {
  readonly digest: Digest
  /** A repository that holds it; undefined where it came from outside and none does. */
  readonly holder: RepositoryName | undefined
}

/** Undefined where there is no such image. Under a content name only the image itself is found, not what an index lists. */
export async function findImage(
  bucket: BucketReader,
  { name, reference }: ImageReference,
  wait: Wait,
): Promise<FoundImage | undefined> {
  const content = parseContentName(name)
  const viewed = content && (await viewedImage(bucket, content, wait))
  if (viewed !== undefined) return reference.kind === 'tag' || reference.digest === viewed.digest ? viewed : undefined
  // Also a content name: Forta's Disco keeps its images in repositories of such names.
  const digest = reference.kind === 'digest' ? reference.digest : await readTag(bucket, name, reference.tag, wait)
  const isHere = digest !== undefined && (await hasManifest(bucket, name, digest, wait))
  return isHere ? { digest, holder: name } : undefined
}

/** Undefined where nothing is known under the name. */
async function viewedImage(bucket: BucketReader, content: ContentName, wait: Wait): Promise<FoundImage | undefined> {
  const digest = content.kind === 'hex' ? content.digest : (await readImageRecord(bucket, content.root, wait))?.digest
  if (digest === undefined) return undefined
  const holder = await holderOf(bucket, digest, wait)
  const isKnown = holder !== undefined || (await readRoot(bucket, digest, wait)) !== undefined
  return isKnown ? { digest, holder } : undefined
}

export interface RootedImageRecord {
  readonly root: Cid
  readonly image: ImageRecord
}

/**
 * The root of an image and what it is made of; made and recorded where that was not done yet. Undefined where it can have
 * none: missing-parts.ts says why.
 * @param publisher makes the root
 */
export async function obtainRoot(
  bucket: Bucket,
  publisher: Publisher,
  { digest, holder }: FoundImage,
  wait: Wait,
): Promise<RootedImageRecord | undefined> {
  const known = await recorded(bucket, await readRoot(bucket, digest, wait), wait)
  if (known !== undefined || holder === undefined) return known
  return recorded(bucket, await publisher.publish(holder, digest, wait), wait)
}

async function recorded(
  bucket: BucketReader,
  root: Cid | undefined,
  wait: Wait,
): Promise<RootedImageRecord | undefined> {
  const image = root && (await readImageRecord(bucket, root, wait))
  return root && image && { root, image }
}

/** From the image's view, or where it has none by looking into every repository. */
async function holderOf(bucket: BucketReader, digest: Digest, wait: Wait): Promise<RepositoryName | undefined> {
  for await (const name of holdersOf(bucket, digest, wait))
    if (await hasManifest(bucket, name, digest, wait)) return name
  for await (const name of allRepositories(bucket, wait)) if (await hasManifest(bucket, name, digest, wait)) return name
  return undefined
}
