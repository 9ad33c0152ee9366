// What IPFS calls the blobs of the bucket. A blob that is no single block has its leaves recorded, so that it is read for
// that once at most.

import * as v from 'valibot'
import { blobKey, leavesKey } from '../layout/keys.ts'
import type { Bucket, BucketReader, Wait } from '../ports/bucket.ts'
import type { Cid } from '../protocol/cid.ts'
import { type Digest, digestOf } from '../protocol/digest.ts'
import { UpstreamError } from '../protocol/errors.ts'
import { parseJson } from '../protocol/json.ts'
import { cidOfSmallBlob, hashOf, leafBytes, parseCid } from './cid.ts'
import { leafCount, shapeOfFile } from './file-shape.ts'
import type { Entry } from './directory-shape.ts'

/** A blob as IPFS names it, with its leaves. */
export interface LeafRecord extends Entry {
  readonly sizeBytes: number
  /** The sha256 of each leaf, in order. */
  readonly leaves: readonly Uint8Array[]
}

const hashBytes = 32

/** Bytes: 44 of base64 for each MiB of the blob; enough for a terabyte. */
const recordLimitBytes = 64 * 1024 * 1024

const recordSchema = v.object({
  cid: v.pipe(
    v.string(),
    v.transform((text) => parseCid(text)),
    v.custom<Cid>((cid) => cid !== undefined),
  ),
  size: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  dagSize: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  leaves: v.pipe(v.string(), v.base64()),
})

/**
 * Names a blob, and records its leaves where that saves reading it again.
 * @param hashLeaves asked only where its leaves make the name: a blob of one leaf has it from its digest
 */
export async function writeLeaves(
  bucket: Bucket,
  digest: Digest,
  sizeBytes: number,
  hashLeaves: () => readonly Uint8Array[] | Promise<readonly Uint8Array[]>,
  wait: Wait,
): Promise<Entry> {
  const small = cidOfSmallBlob(digest, sizeBytes)
  if (small !== undefined) return { cid: small, dagSizeBytes: sizeBytes }
  const leaves = await hashLeaves()
  const { cid, dagSizeBytes } = await shapeOfFile(sizeBytes, leaves)
  const record = { cid, size: sizeBytes, dagSize: dagSizeBytes, leaves: toBase64(leaves) }
  await bucket.write(leavesKey(digest), new TextEncoder().encode(JSON.stringify(record)), wait)
  return { cid, dagSizeBytes }
}

/** The recorded leaves of a blob; undefined where there is no record, or one that cannot be of it. */
export async function readLeaves(bucket: BucketReader, digest: Digest, wait: Wait): Promise<LeafRecord | undefined> {
  const bytes = await bucket.read(leavesKey(digest), recordLimitBytes, wait)
  const result = v.safeParse(recordSchema, bytes === undefined ? undefined : parseJson(bytes))
  if (!result.success) return undefined
  const { cid, size, dagSize, leaves: text } = result.output
  const leaves = fromBase64(text)
  return leaves.length === leafCount(size) ? { cid, sizeBytes: size, dagSizeBytes: dagSize, leaves } : undefined
}

/** What IPFS calls a blob of the bucket: by its digest, from the record, or by reading it once. */
export async function fileOfBlob(bucket: Bucket, digest: Digest, sizeBytes: number, wait: Wait): Promise<Entry> {
  const known = cidOfSmallBlob(digest, sizeBytes) === undefined ? await readLeaves(bucket, digest, wait) : undefined
  if (known?.sizeBytes === sizeBytes) return known
  return writeLeaves(bucket, digest, sizeBytes, () => hashLeaves(bucket, digest, sizeBytes, wait), wait)
}

/** Leaves of a stored blob that are held and hashed at once. */
const leavesAtOnce = 8

async function hashLeaves(
  bucket: BucketReader,
  digest: Digest,
  sizeBytes: number,
  wait: Wait,
): Promise<readonly Uint8Array[]> {
  const leaves: Uint8Array[] = []
  while (leaves.length < leafCount(sizeBytes)) {
    const start = leaves.length * leafBytes
    const end = Math.min(start + leavesAtOnce * leafBytes, sizeBytes)
    // There is no range of no bytes.
    const opened = await bucket.open(blobKey(digest), end === 0 ? undefined : { start, end: end - 1 }, wait)
    if (opened === undefined) throw new UpstreamError('bucket', `${digest} vanished while it was read`)
    const bytes = new Uint8Array(await new Response(opened.body).arrayBuffer())
    if (bytes.byteLength !== end - start) throw new UpstreamError('bucket', `${digest} was cut short while it was read`)
    const cut = Array.from({ length: leafCount(bytes.byteLength) }, (_, at) =>
      bytes.subarray(at * leafBytes, (at + 1) * leafBytes),
    )
    leaves.push(...(await Promise.all(cut.map(async (leaf) => hashOf(await digestOf(leaf))))))
  }
  return leaves
}

function toBase64(leaves: readonly Uint8Array[]): string {
  return btoa(leaves.map((leaf) => String.fromCharCode(...leaf)).join(''))
}

function fromBase64(text: string): Uint8Array[] {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
  const leaves: Uint8Array[] = []
  for (let at = 0; at < bytes.byteLength; at += hashBytes) leaves.push(bytes.subarray(at, at + hashBytes))
  return leaves
}
