// An image that came from outside, by its CID or in a file: what it is made of, how large it may be, and how it is kept.

import { blobKey } from '../layout/keys.ts'
import type { Bucket, Wait } from '../ports/bucket.ts'
import type { Cid } from '../protocol/cid.ts'
import type { Digest } from '../protocol/digest.ts'
import type { Manifest } from '../protocol/manifest.ts'
import { walk, walkLimit } from '../protocol/walk.ts'
import { keepFetched, writeFetched } from './content-view.ts'
import { type ImageRecord, readRoot, type RecordedDigest, writeImageRecord, writeRoot } from './image-record.ts'

/** A manifest that has the digest under which it is held. */
export interface CheckedManifest {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly manifest: Manifest
}

export type CheckedManifests = ReadonlyMap<Digest, CheckedManifest>

/** What was found, but cannot be taken. */
export class NotTaken extends Error {}

/** What an image may have. */
export interface ImageLimits {
  /** Bytes of all its blobs. */
  readonly imageBytes: number
}

/** The image that these manifests make. @throws NotTaken where it is larger than the limits */
export function imageOf(top: Digest, manifests: CheckedManifests, limits: ImageLimits): ImageRecord {
  const parsed = new Map([...manifests].map(([digest, { manifest }]) => [digest, manifest]))
  const walked = walk(top, parsed)
  const manifest = manifests.get(top)
  if (walked === undefined || manifest === undefined) throw new NotTaken(`has more than ${walkLimit} parts`)
  const said = new Map<Digest, number>()
  for (const { parts } of parsed.values()) for (const part of parts) said.set(part.digest, part.sizeBytes)
  const sized = walked.map((each): RecordedDigest => ({
    ...each,
    sizeBytes: manifests.get(each.digest)?.bytes.byteLength ?? said.get(each.digest) ?? 0,
  }))
  const total = sized.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  if (total > limits.imageBytes) throw new NotTaken(`has ${total} bytes, and ${limits.imageBytes} is the limit here`)
  return {
    digest: top,
    mediaType: manifest.manifest.mediaType,
    sizeBytes: manifest.bytes.byteLength,
    walk: sized,
  }
}

/** What came from outside: an image whose parts were checked, and the bytes of its manifests. */
export interface CheckedImage {
  readonly image: ImageRecord
  readonly manifests: ReadonlyMap<Digest, Uint8Array<ArrayBuffer>>
}

/**
 * Keeps an image that came from outside, under its root. When it resolves the image has a view; its blobs may come later.
 * Rejects with BlockedContent where it was blocked meanwhile.
 * @param atMs ms since 1970
 */
export async function keepImage(
  bucket: Bucket,
  root: Cid,
  { image, manifests }: CheckedImage,
  atMs: number,
  wait: Wait,
): Promise<void> {
  for (const [digest, bytes] of manifests) {
    await bucket.write(blobKey(digest), bytes, wait)
    if (digest !== image.digest) await writeFetched(bucket, digest, atMs, wait)
  }
  await writeImageRecord(bucket, root, image, wait)
  if ((await readRoot(bucket, image.digest, wait)) === undefined) await writeRoot(bucket, image.digest, root, wait)
  // Last, as it makes the view.
  await keepFetched(bucket, { root, image }, atMs, wait)
}
