// Puts images on IPFS: finds out what IPFS calls an image, records it, and has the content store keep it where the
// repository is public.

import pMap from 'p-map'
import { type AccessRules, isPublic } from '../auth/access.ts'
import { blobKey } from '../layout/keys.ts'
import type { Bucket, Wait } from '../ports/bucket.ts'
import type { ArrivingFile, ContentFile, ContentStore } from '../ports/content-store.ts'
import type { Log } from '../ports/log.ts'
import { unhurried } from '../concurrency/unhurried.ts'
import type { Cid } from '../protocol/cid.ts'
import type { Digest } from '../protocol/digest.ts'
import { OciError, UpstreamError } from '../protocol/errors.ts'
import { parseManifest, type Manifest } from '../protocol/manifest.ts'
import type { RepositoryName } from '../protocol/names.ts'
import { walk, walkLimit } from '../protocol/walk.ts'
import { addToView, isPublished, namelessHolder, removeFromView } from './content-view.ts'
import { findBlob } from './find-blob.ts'
import { type ImageRecord, readRoot, type RecordedDigest, writeImageRecord, writeRoot } from './image-record.ts'
import { hasManifest } from './links.ts'
import { readManifest } from './read-manifest.ts'
import { imageRoot, type ImageRoot, type RootedDigest } from '../ipfs/image-root.ts'
import { fileOfBlob } from '../ipfs/leaves.ts'

/** Looks into the bucket at once. */
const looksAtOnce = 32

/** Manifests of an index that are held at once; each has 4 MiB at most. */
const manifestsAtOnce = 4

export interface Publisher {
  /** Begins to copy a blob that was just pushed, so that its image will not have to wait for it. */
  blobPushed(name: RepositoryName, digest: Digest, sizeBytes: number, arriving: ArrivingFile | undefined): void

  /** Begins to copy a blob while it is uploaded; undefined where nothing is copied. */
  blobArriving(name: RepositoryName): ArrivingFile | undefined

  /**
   * Gives an image its root, before the manifest's revision link is written. When it resolves with a root and the
   * repository is public, the image is on IPFS. Undefined where the image has no root: something of it is missing in the
   * repository, or has another size than its descriptor says, or it has more than 1,000 digests.
   */
  publish(name: RepositoryName, digest: Digest, wait: Wait): Promise<Cid | undefined>

  /**
   * The repository that holds a manifest which is pushed to `name`: that one; or, where names are not kept and the
   * repository is public, the one that the manifest's digest names.
   */
  holderOf(name: RepositoryName, digest: Digest): RepositoryName

  /** A repository has given up a manifest: where no public one has it any more, IPFS need not keep it. */
  withdraw(name: RepositoryName, digest: Digest, wait: Wait): Promise<void>
}

export interface PublisherDeps {
  readonly bucket: Bucket
  readonly store: ContentStore
  readonly access: AccessRules
  readonly log: Log
  /** `content-only`: what is pushed to a public repository has the names of its content alone. */
  readonly names: PushedNames
}

export const pushedNames = ['any', 'content-only'] as const

export type PushedNames = (typeof pushedNames)[number]

export function createPublisher(deps: PublisherDeps): Publisher {
  const { bucket, store, access, log, names } = deps

  function holderOf(name: RepositoryName, digest: Digest): RepositoryName {
    if (names === 'any') return name
    const nameless = namelessHolder(digest)
    // What is private has no content names, and would be lost without its own; patterns may close those too.
    return isPublic(access, name) && isPublic(access, nameless) ? nameless : name
  }

  return {
    holderOf,

    blobArriving: (name) => (isPublic(access, name) ? store.arriving?.() : undefined),

    blobPushed(name, digest, sizeBytes, arriving) {
      if (!isPublic(access, name)) return
      const copying = (async () => {
        const { cid } = await fileOfBlob(bucket, digest, sizeBytes, unhurried)
        await store.add(contentFile(bucket, digest, cid, sizeBytes), unhurried, arriving)
      })()
      // Publishing the image does it again, and tells the client.
      copying.catch((error: unknown) => log.warn('a blob could not be copied to IPFS', { digest }, error))
    },

    async publish(name, digest, wait) {
      const image = await imageIn(bucket, name, digest, (child) => holderOf(name, child), wait)
      if (image === undefined) return undefined
      const { root, files } = await rootOf(bucket, image, wait)
      await Promise.all([
        writeImageRecord(bucket, root.cid, image, wait),
        writeRoot(bucket, digest, root.cid, wait),
        addToView(bucket, digest, holderOf(name, digest), wait),
      ])
      // After its view: who takes images off IPFS looks there before and after (reconcile-ipfs.ts).
      if (isPublic(access, name)) await store.publish({ root: root.cid, blocks: root.blocks, files }, wait)
      return root.cid
    },

    async withdraw(name, digest, wait) {
      await removeFromView(bucket, digest, name, wait)
      const root = await readRoot(bucket, digest, wait)
      if (root !== undefined && !(await isPublished(deps, digest, wait))) await store.unpublish(root, wait)
    },
  }
}

function contentFile(bucket: Bucket, digest: Digest, cid: Cid, sizeBytes: number): ContentFile {
  return {
    cid,
    sizeBytes,
    async open(wait) {
      const opened = await bucket.open(blobKey(digest), undefined, wait)
      if (opened === undefined) throw new UpstreamError('bucket', `${digest} vanished while it was copied`)
      return opened.body
    },
  }
}

/**
 * The image that a manifest is in a repository. Everything of it must belong to the repository: that the bucket has
 * something proves no right to it. (The manifest's own link is not asked for; it is written when all this is done.)
 */
async function imageIn(
  bucket: Bucket,
  name: RepositoryName,
  digest: Digest,
  holderOf: (manifest: Digest) => RepositoryName,
  wait: Wait,
): Promise<ImageRecord | undefined> {
  const manifests = await manifestsOf(bucket, digest, holderOf, wait)
  const walked = manifests && walk(digest, manifests)
  const mediaType = manifests?.get(digest)?.mediaType
  if (manifests === undefined || walked === undefined || mediaType === undefined) return undefined
  const said = sizesIn(manifests.values())
  const sized = await pMap(
    walked,
    async (each): Promise<RecordedDigest | undefined> => {
      const { linked, sizeBytes } = each.asBlob
        ? await findBlob(bucket, name, each.digest, wait)
        : { linked: true, sizeBytes: await bucket.head(blobKey(each.digest), wait) }
      const whole = each.asManifest || (sizeBytes !== undefined && said.get(each.digest)?.has(sizeBytes) === true)
      return linked && whole && sizeBytes !== undefined ? { ...each, sizeBytes } : undefined
    },
    { concurrency: looksAtOnce },
  )
  const found = sized.filter((each) => each !== undefined)
  const [top] = found
  return top === undefined || found.length < sized.length
    ? undefined
    : { digest, mediaType, sizeBytes: top.sizeBytes, walk: found }
}

/** What descriptors say of the size of each part. Bytes that no descriptor agrees with are not what was pushed. */
function sizesIn(manifests: Iterable<Manifest>): ReadonlyMap<Digest, ReadonlySet<number>> {
  const said = new Map<Digest, Set<number>>()
  for (const { parts } of manifests)
    for (const { digest, sizeBytes } of parts) said.set(digest, (said.get(digest) ?? new Set()).add(sizeBytes))
  return said
}

/** Every manifest that `top` reaches, where its holder has it; undefined where one is missing, damaged, or there are too many. */
async function manifestsOf(
  bucket: Bucket,
  top: Digest,
  holderOf: (manifest: Digest) => RepositoryName,
  wait: Wait,
): Promise<ReadonlyMap<Digest, Manifest> | undefined> {
  const manifests = new Map<Digest, Manifest>()
  const digests = new Set<Digest>([top])
  let next: Digest[] = [top]
  while (next.length > 0) {
    const read = await pMap(
      next,
      async (digest) => {
        const there = digest === top || (await hasManifest(bucket, holderOf(digest), digest, wait))
        const stored = there ? await readManifest(bucket, digest, wait) : undefined
        return stored === undefined ? undefined : parsed(stored.bytes)
      },
      { concurrency: manifestsAtOnce },
    )
    const children: Digest[] = []
    for (const [at, manifest] of read.entries()) {
      const digest = next[at]
      if (manifest === undefined || digest === undefined) return undefined
      // Of what may be 4 MiB each, only what the walk needs is kept.
      manifests.set(digest, { ...manifest, annotations: undefined })
      for (const part of manifest.parts) {
        if (part.kind === 'manifest' && !part.hasUrls && !digests.has(part.digest)) children.push(part.digest)
        digests.add(part.digest)
      }
      if (digests.size > 2 * walkLimit) return undefined
    }
    next = [...new Set(children)]
  }
  return manifests
}

/** What others stored may be no manifest of ours to read; its image has no root then. */
function parsed(bytes: Uint8Array): Manifest | undefined {
  try {
    return parseManifest(bytes, undefined)
  } catch (error) {
    if (error instanceof OciError) return undefined
    throw error
  }
}

/** The root of an image whose parts are all in the bucket, and the files that it is made of. */
export async function rootOf(
  bucket: Bucket,
  image: ImageRecord,
  wait: Wait,
): Promise<{ root: ImageRoot; files: ContentFile[] }> {
  const rooted = await pMap(
    image.walk,
    async (each): Promise<RootedDigest & RecordedDigest> => ({
      ...each,
      file: await fileOfBlob(bucket, each.digest, each.sizeBytes, wait),
    }),
    { concurrency: manifestsAtOnce },
  )
  const files = rooted.map(({ digest, file, sizeBytes }) => contentFile(bucket, digest, file.cid, sizeBytes))
  return { root: await imageRoot(image, rooted), files }
}
