// What a root CID names: a manifest, and by the walk everything that belongs to it. Immutable.

import * as v from 'valibot'
import { imageKey, rootKey } from '../layout/keys.ts'
import type { Bucket, BucketReader, Wait } from '../ports/bucket.ts'
import type { Cid } from '../protocol/cid.ts'
import { type Digest, parseDigest } from '../protocol/digest.ts'
import { UpstreamError } from '../protocol/errors.ts'
import { parseJson } from '../protocol/json.ts'
import { parseRootCid } from '../protocol/names.ts'
import { type WalkedDigest, walkLimit } from '../protocol/walk.ts'

export interface RecordedDigest extends WalkedDigest {
  readonly sizeBytes: number
}

export interface ImageRecord {
  readonly digest: Digest
  readonly mediaType: string
  readonly sizeBytes: number
  /** The walk, the manifest first. */
  readonly walk: readonly RecordedDigest[]
}

/** Bytes; a digest takes some 250 with sha512. */
const recordLimitBytes = walkLimit * 300 + 1000

const digestSchema = v.pipe(
  v.string(),
  v.transform((text) => parseDigest(text)),
  v.custom<Digest>((digest) => digest !== undefined),
)
const sizeSchema = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const recordSchema = v.object({
  digest: digestSchema,
  mediaType: v.string(),
  size: sizeSchema,
  walk: v.pipe(
    v.array(v.object({ digest: digestSchema, size: sizeSchema, as: v.picklist(['manifest', 'blob', 'both']) })),
    v.maxLength(walkLimit),
  ),
})

export async function writeImageRecord(bucket: Bucket, root: Cid, record: ImageRecord, wait: Wait): Promise<void> {
  const stored = {
    digest: record.digest,
    mediaType: record.mediaType,
    size: record.sizeBytes,
    walk: record.walk.map(({ digest, sizeBytes, asManifest, asBlob }) => ({
      digest,
      size: sizeBytes,
      as: asManifest && asBlob ? 'both' : asManifest ? 'manifest' : 'blob',
    })),
  }
  await bucket.write(imageKey(root), new TextEncoder().encode(JSON.stringify(stored)), wait)
}

/** Rejects with UpstreamError where the record is damaged. */
export async function readImageRecord(bucket: BucketReader, root: Cid, wait: Wait): Promise<ImageRecord | undefined> {
  const bytes = await bucket.read(imageKey(root), recordLimitBytes, wait)
  if (bytes === undefined) return undefined
  const result = v.safeParse(recordSchema, parseJson(bytes))
  if (!result.success) throw new UpstreamError('bucket', `${imageKey(root)} is damaged; push the image again`)
  const { digest, mediaType, size, walk } = result.output
  return {
    digest,
    mediaType,
    sizeBytes: size,
    walk: walk.map((each) => ({
      digest: each.digest,
      sizeBytes: each.size,
      asManifest: each.as !== 'blob',
      asBlob: each.as !== 'manifest',
    })),
  }
}

export async function writeRoot(bucket: Bucket, manifest: Digest, root: Cid, wait: Wait): Promise<void> {
  await bucket.write(rootKey(manifest), new TextEncoder().encode(root), wait)
}

/** The root of the image that a manifest is; undefined where it has none, or none is known. */
export async function readRoot(bucket: BucketReader, manifest: Digest, wait: Wait): Promise<Cid | undefined> {
  const bytes = await bucket.read(rootKey(manifest), rootLimitBytes, wait)
  return bytes === undefined ? undefined : parseRootCid(new TextDecoder().decode(bytes).trim())
}

/** Bytes; with room for a newline. */
const rootLimitBytes = 64
