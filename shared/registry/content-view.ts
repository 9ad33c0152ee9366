// Content names: repositories that nobody pushed to, read-only views of images that are public already. They hold
// nothing; what belongs to one is said by the image's record. Source: DESIGN.md, "Content names".

import { type AccessRules, isAllPublic, isPublic } from '../auth/access.ts'
import { fetchedKey, parseViewKey, viewKey, viewPrefix } from '../layout/keys.ts'
import type { Bucket, BucketReader, Wait } from '../ports/bucket.ts'
import type { Clock } from '../ports/clock.ts'
import type { Cid } from '../protocol/cid.ts'
import { type Digest, hexOf } from '../protocol/digest.ts'
import {
  type ContentName,
  parseRepositoryName,
  parseTag,
  type Reference,
  type RepositoryName,
  type Tag,
} from '../protocol/names.ts'
import { BlockedContent, refuseBlocked, refuseBlockedRoot } from './blocked.ts'
import { type ImageRecord, readImageRecord, readRoot, type RecordedDigest } from './image-record.ts'
import { hasManifest } from './links.ts'

export interface ContentView {
  readonly root: Cid
  readonly image: ImageRecord
  /**
   * Whether a public repository holds the image, so that all of it may be had from the bucket. Otherwise it came from
   * outside, and only what came with it, or with another image from outside, may.
   */
  readonly published: boolean
  /** Whether only its having come from outside keeps it here, and that should be renewed now that it is asked for. */
  readonly isAging: boolean
}

/** Where views are found; an edge remembers them for a while. */
export interface Views {
  find(name: ContentName, wait: Wait): Promise<ContentView | undefined>
}

export interface ViewDeps {
  readonly bucket: BucketReader
  readonly access: AccessRules
  readonly clock: Clock
  /** Milliseconds for which an image that came from outside is kept after it was last fetched. */
  readonly keepFetchedMs: number
}

/** The view under a content name; undefined where the image is not known here, or not public. */
export async function findView(deps: ViewDeps, name: ContentName, wait: Wait): Promise<ContentView | undefined> {
  const { bucket } = deps
  const root = name.kind === 'cid' ? name.root : await readRoot(bucket, name.digest, wait)
  const image = root === undefined ? undefined : await readImageRecord(bucket, root, wait)
  if (root === undefined || image === undefined) return undefined
  const [published, fetchedMs] = await Promise.all([
    isPublished(deps, image.digest, wait),
    readFetched(bucket, image.digest, wait),
  ])
  const ageMs = fetchedMs === undefined ? Number.POSITIVE_INFINITY : deps.clock.now() - fetchedMs
  if (!published && ageMs >= deps.keepFetchedMs) return undefined
  return { root, image, published, isAging: !published && ageMs > Math.min(renewAfterMs, deps.keepFetchedMs / 2) }
}

/** Milliseconds: a mark is written once a day at most. */
const renewAfterMs = 24 * 3600_000

/** Whether a repository that anonymous may pull holds the manifest. An entry of the view counts only with its link. */
export async function isPublished(
  { bucket, access }: Pick<ViewDeps, 'bucket' | 'access'>,
  manifest: Digest,
  wait: Wait,
): Promise<boolean> {
  for await (const name of holdersOf(bucket, manifest, wait))
    if (isPublic(access, name) && (await hasManifest(bucket, name, manifest, wait))) return true
  return false
}

/** When content was last fetched from outside: ms since 1970. Of an image it is its manifest's. */
async function readFetched(bucket: BucketReader, digest: Digest, wait: Wait): Promise<number | undefined> {
  const bytes = await bucket.read(fetchedKey(digest), markLimitBytes, wait)
  const ms = bytes === undefined ? Number.NaN : Date.parse(new TextDecoder().decode(bytes))
  return Number.isNaN(ms) ? undefined : ms
}

export async function writeFetched(bucket: Bucket, digest: Digest, atMs: number, wait: Wait): Promise<void> {
  await bucket.write(fetchedKey(digest), new TextEncoder().encode(new Date(atMs).toISOString()), wait)
}

/**
 * Notes that an image came from outside, or is still asked for: that makes, or keeps, its view. Rejects with
 * BlockedContent where it or a part of it is blocked: who blocks it marks it first, and then takes this away.
 */
export async function keepFetched(
  bucket: Bucket,
  { root, image }: Pick<ContentView, 'root' | 'image'>,
  atMs: number,
  wait: Wait,
): Promise<void> {
  await writeFetched(bucket, image.digest, atMs, wait)
  try {
    await refuseBlockedRoot(bucket, root, wait)
    await refuseBlocked(
      bucket,
      image.walk.map(({ digest }) => digest),
      wait,
    )
  } catch (error) {
    if (error instanceof BlockedContent) await bucket.remove(fetchedKey(image.digest), wait)
    throw error
  }
}

/** Bytes; an ISO date has 24. */
const markLimitBytes = 64

/**
 * The repository that holds an image which is published without a name: the one that its digest names. Nobody pushes
 * there, so that it has nothing but the manifest's revision link.
 */
export function namelessHolder(manifest: Digest): RepositoryName {
  const name = parseRepositoryName(hexOf(manifest))
  if (name === undefined) throw new RangeError(`${manifest} names no repository`)
  return name
}

/** Records that a repository holds an image. Counts only with the manifest's revision link. */
export async function addToView(bucket: Bucket, manifest: Digest, name: RepositoryName, wait: Wait): Promise<void> {
  await bucket.write(viewKey(manifest, name), new TextEncoder().encode(name), wait)
}

export async function removeFromView(
  bucket: Bucket,
  manifest: Digest,
  name: RepositoryName,
  wait: Wait,
): Promise<void> {
  await bucket.remove(viewKey(manifest, name), wait)
}

/** The image has no content name any more, whoever holds it. */
export async function removeFromViews(bucket: Bucket, manifest: Digest, wait: Wait): Promise<void> {
  for await (const name of holdersOf(bucket, manifest, wait)) await removeFromView(bucket, manifest, name, wait)
}

/** The repositories that hold an image, by its view. An entry counts only with the manifest's revision link. */
export async function* holdersOf(bucket: BucketReader, manifest: Digest, wait: Wait): AsyncIterable<RepositoryName> {
  for await (const { path } of bucket.list(viewPrefix(manifest), '', wait)) {
    const name = parseViewKey(path)
    if (name !== undefined) yield name
  }
}

/** The manifest that a reference means under a content name; undefined where it means none. */
export function viewedManifest(view: ContentView, name: ContentName, reference: Reference): Digest | undefined {
  const { image } = view
  if (reference.kind === 'tag') return tagsOfView(view, name).includes(reference.tag) ? image.digest : undefined
  return image.walk.find(({ digest, asManifest }) => asManifest && digest === reference.digest)?.digest
}

/** A blob of the view; undefined where it has no such blob. */
export function viewedBlob({ image }: ContentView, digest: Digest): RecordedDigest | undefined {
  return image.walk.find((each) => each.asBlob && each.digest === digest)
}

/** `latest`; and under a digest's hex the root, so that `docker pull -a` finds it, as with Forta's Disco. */
export function tagsOfView({ root }: ContentView, name: ContentName): Tag[] {
  return (name.kind === 'hex' ? [root, 'latest'] : ['latest'])
    .map((text) => parseTag(text))
    .filter((tag) => tag !== undefined)
}

/** Whether the bucket's bytes under a digest may be served in a view: that they are there proves no right to them. */
export async function mayServeFromBucket(
  { bucket, access }: Pick<ViewDeps, 'bucket' | 'access'>,
  view: ContentView,
  digest: Digest,
  wait: Wait,
): Promise<boolean> {
  if (view.published || isAllPublic(access)) return true
  return (await bucket.head(fetchedKey(digest), wait)) !== undefined
}
