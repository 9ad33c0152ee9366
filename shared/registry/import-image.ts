// Takes an image from a file into the bucket: into a repository, exactly as if it had been pushed, or without a name, as
// if it had been fetched from IPFS. All of it is read and checked before any of it has a name.

import { blobKey } from '../layout/keys.ts'
import { writeLeaves } from '../ipfs/leaves.ts'
import type { Wait } from '../ports/bucket.ts'
import type { Clock } from '../ports/clock.ts'
import type { Cid } from '../protocol/cid.ts'
import { algorithmOf, type Digest, digestOf } from '../protocol/digest.ts'
import { OciError } from '../protocol/errors.ts'
import { manifestLimitBytes, parseManifest } from '../protocol/manifest.ts'
import type { RepositoryName, Tag } from '../protocol/names.ts'
import { refuseBlocked, refuseBlockedRoot } from './blocked.ts'
import { writeFetched } from './content-view.ts'
import { type CheckedManifest, type CheckedManifests, imageOf, keepImage, NotTaken } from './checked-image.ts'
import { writeImageRecord, type ImageRecord } from './image-record.ts'
import { BadImage, type ImageSource } from './image-source.ts'
import { linkBlob } from './link-blob.ts'
import { rootOf } from './publish-image.ts'
import { holderOf, pushManifest, type PushRules } from './push-manifest.ts'
import { createStaging, type StagedBlob, type Staging, type StagingDeps } from './staged-blobs.ts'

export interface ImportDeps extends StagingDeps {
  readonly clock: Clock
  readonly push: PushRules
  /** Bytes of all blobs of an image. */
  readonly imageBytes: number
  readonly onProgress: (done: ImportProgress) => void
}

export interface ImportProgress {
  readonly bytes: number
  readonly ofBytes: number
}

export interface ImportedImage {
  readonly digest: Digest
  /** Undefined where the image went into a repository and none go to IPFS. */
  readonly root: Cid | undefined
}

/** Where an image goes. */
export interface ImportTarget {
  readonly name: RepositoryName
  readonly tag: Tag
}

/** Bytes of all manifests of an image: they are held until all of it is there. */
const manifestsLimitBytes = 128 * 1024 * 1024

/**
 * Rejects with BadImage where the source is at fault, with OciError where a push of the image would be refused;
 * the bucket is as before then.
 * @param target undefined: it has only its content names
 */
export async function importImage(
  deps: ImportDeps,
  source: ImageSource,
  target: ImportTarget | undefined,
  wait: Wait,
): Promise<ImportedImage> {
  const { bucket } = deps
  const manifests = await readManifests(source, wait)
  const image = describe(source, manifests, deps)
  if (source.root !== undefined) await refuseBlockedRoot(bucket, source.root, wait)
  await refuseBlocked(
    bucket,
    image.walk.map(({ digest }) => digest),
    wait,
  )
  // Asked again when the tag is set; until then nothing may be written for an image that is refused.
  if (target !== undefined && holderOf(deps.push, target.name, image.digest) === target.name) {
    const { name, tag } = target
    await deps.push.immutable?.refuseMove(bucket, { name, tags: new Set([tag]), digest: image.digest }, wait)
  }
  const staging = createStaging(deps)
  try {
    const blobs = await stageBlobs(deps, staging, source, image, manifests, wait)
    // From here on only what is right is written. A crash leaves garbage, never a name without content.
    for (const blob of blobs) {
      await staging.publish(blob, wait)
      await writeLeaves(bucket, blob.digest, blob.sizeBytes, () => blob.leaves, wait)
    }
    return target === undefined
      ? await keepNameless(deps, source, image, manifests, wait)
      : await pushInto(deps, target, image, manifests, wait)
  } finally {
    await staging.clear()
  }
}

/** All manifests of the image, each checked, its own first. */
async function readManifests(source: ImageSource, wait: Wait): Promise<CheckedManifests> {
  const manifests = new Map<Digest, CheckedManifest>()
  const wanted = new Set([source.manifest])
  const missing: Digest[] = []
  let held = 0
  // A set hands out what is added while it is gone through.
  for (const digest of wanted) {
    const bytes = await readManifest(source, digest, wait)
    if (bytes === undefined) {
      missing.push(digest)
      continue
    }
    held += bytes.byteLength
    if (held > manifestsLimitBytes) throw new BadImage(`its manifests have more than ${manifestsLimitBytes} bytes`)
    const manifest = parsed(digest, bytes)
    manifests.set(digest, { bytes, manifest: { ...manifest, annotations: undefined } })
    for (const part of manifest.parts) if (part.kind === 'manifest' && !part.hasUrls) wanted.add(part.digest)
  }
  if (missing.length > 0) throw lacks(missing)
  const top = manifests.get(source.manifest)
  if (source.sizeBytes !== undefined && top?.bytes.byteLength !== source.sizeBytes)
    throw new BadImage(`manifest ${source.manifest} has ${top?.bytes.byteLength} bytes, not ${source.sizeBytes}`)
  for (const { manifest } of manifests.values()) {
    for (const { digest, sizeBytes } of manifest.parts) {
      const actual = manifests.get(digest)?.bytes.byteLength
      if (actual !== undefined && actual !== sizeBytes)
        throw new BadImage(`manifest ${digest} has ${actual} bytes, not ${sizeBytes} as the index says`)
    }
  }
  return manifests
}

async function readManifest(source: ImageSource, digest: Digest, wait: Wait) {
  const copies = await source.copiesOf(digest, manifestLimitBytes, wait)
  for (const open of copies) {
    const bytes = await wholeOf(await open(wait), manifestLimitBytes)
    if (bytes !== undefined && (await digestOf(bytes, algorithmOf(digest))) === digest) return bytes
  }
  if (copies.length > 0) throw new BadImage(`what it has as manifest ${digest} is something else`)
  return undefined
}

/** Undefined where there is more. */
async function wholeOf(
  body: ReadableStream<Uint8Array>,
  limitBytes: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.byteLength
    if (size > limitBytes) return undefined
    chunks.push(chunk)
  }
  const whole = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.byteLength
  }
  return whole
}

function parsed(digest: Digest, bytes: Uint8Array) {
  try {
    return parseManifest(bytes, undefined)
  } catch (error) {
    if (error instanceof OciError) throw new BadImage(`manifest ${digest} cannot be taken: ${error.detail}`)
    throw error
  }
}

function describe(source: ImageSource, manifests: CheckedManifests, limits: ImportDeps): ImageRecord {
  try {
    return imageOf(source.manifest, manifests, limits)
  } catch (error) {
    if (error instanceof NotTaken) throw new BadImage(`the image ${error.message}`)
    throw error
  }
}

/** Every blob of the image, read and checked. */
async function stageBlobs(
  { onProgress }: ImportDeps,
  staging: Staging,
  source: ImageSource,
  image: ImageRecord,
  manifests: CheckedManifests,
  wait: Wait,
): Promise<StagedBlob[]> {
  const blobs = image.walk.filter(({ digest }) => !manifests.has(digest))
  const ofBytes = blobs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  const [staged, missing]: [StagedBlob[], Digest[]] = [[], []]
  let bytes = 0
  for (const { digest, sizeBytes } of blobs) {
    const copies = await source.copiesOf(digest, sizeBytes, wait)
    if (copies.length === 0) missing.push(digest)
    // Nothing will come of it; what else is missing is still worth knowing.
    if (missing.length > 0) continue
    staged.push(
      await staging.stage({ digest, sizeBytes }, copies, (done) => onProgress({ bytes: bytes + done, ofBytes }), wait),
    )
    bytes += sizeBytes
  }
  if (missing.length > 0) throw lacks(missing)
  return staged
}

function lacks(missing: readonly Digest[]): BadImage {
  return new BadImage(`it lacks ${missing.length} part(s) of the image:\n  ${missing.join('\n  ')}`)
}

/** The order of a push: blobs, then what an index lists, then itself with its tag. */
async function pushInto(
  { bucket, push }: ImportDeps,
  { name, tag }: ImportTarget,
  image: ImageRecord,
  manifests: CheckedManifests,
  wait: Wait,
): Promise<ImportedImage> {
  for (const { digest, asBlob } of image.walk) {
    if (!asBlob) continue
    const bytes = manifests.get(digest)?.bytes
    if (bytes !== undefined) await bucket.write(blobKey(digest), bytes, wait)
    await linkBlob(bucket, name, digest, wait)
  }
  let root: Cid | undefined
  for (const [digest, bytes] of childrenFirst(image.digest, manifests)) {
    const reference = { kind: 'digest', digest } as const
    const tags = digest === image.digest ? [tag] : []
    const pushed = await pushManifest(bucket, { name, reference, bytes, contentType: undefined, tags }, push, wait)
    if (digest === image.digest) root = pushed.root
  }
  return { digest: image.digest, root }
}

/** Every manifest after those that it lists. */
function childrenFirst(top: Digest, manifests: CheckedManifests): ReadonlyMap<Digest, Uint8Array<ArrayBuffer>> {
  const ordered = new Map<Digest, Uint8Array<ArrayBuffer>>()
  function visit(digest: Digest): void {
    const found = manifests.get(digest)
    if (found === undefined || ordered.has(digest)) return
    for (const part of found.manifest.parts) visit(part.digest)
    ordered.set(digest, found.bytes)
  }
  visit(top)
  return ordered
}

async function keepNameless(
  { bucket, clock }: ImportDeps,
  source: ImageSource,
  image: ImageRecord,
  manifests: CheckedManifests,
  wait: Wait,
): Promise<ImportedImage> {
  const bytes = new Map([...manifests].map(([digest, each]) => [digest, each.bytes]))
  for (const [digest, each] of bytes) await bucket.write(blobKey(digest), each, wait)
  const { root } = await rootOf(bucket, image, wait)
  await refuseBlockedRoot(bucket, root.cid, wait)
  for (const { digest } of image.walk)
    if (digest !== image.digest) await writeFetched(bucket, digest, clock.now(), wait)
  // A root that others made is another name of the same image.
  if (source.root !== undefined && source.root !== root.cid) await writeImageRecord(bucket, source.root, image, wait)
  await keepImage(bucket, root.cid, { image, manifests: bytes }, clock.now(), wait)
  return { digest: image.digest, root: root.cid }
}
