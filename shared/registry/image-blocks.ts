// All blocks of an image, and where their bytes are: what IPFS adds to a blob is made when it is needed.

import { cidOfSmallBlob, cidText, hashOf, leafBytes, rawCid } from '../ipfs/cid.ts'
import { shapeOfFile } from '../ipfs/file-shape.ts'
import { readLeaves } from '../ipfs/leaves.ts'
import { blobKey } from '../layout/keys.ts'
import type { Bucket, BucketReader, Wait } from '../ports/bucket.ts'
import type { Cid } from '../protocol/cid.ts'
import type { Digest } from '../protocol/digest.ts'
import { UpstreamError } from '../protocol/errors.ts'
import type { ByteRange } from '../protocol/range.ts'
import type { ImageRecord, RecordedDigest } from './image-record.ts'
import { rootOf } from './publish-image.ts'

/** Where the bytes of a block are: here, or in a blob of the bucket. */
export type BlockPlace = Uint8Array | { readonly digest: Digest; readonly range: ByteRange }

/** Every block of an image whose parts are all in the bucket; the root comes first. */
export async function imageBlocks(
  bucket: Bucket,
  image: ImageRecord,
  wait: Wait,
): Promise<{ root: Cid; places: ReadonlyMap<Cid, BlockPlace> }> {
  const { root } = await rootOf(bucket, image, wait)
  const places = new Map<Cid, BlockPlace>(root.blocks.toReversed().map(({ cid, bytes }) => [cid, bytes]))
  for (const part of image.walk) {
    const leaves = await leavesOf(bucket, part, wait)
    for (const { cid, bytes } of (await shapeOfFile(part.sizeBytes, leaves)).nodes.toReversed()) places.set(cid, bytes)
    for (const [at, leaf] of leaves.entries()) {
      const range = { start: at * leafBytes, end: Math.min((at + 1) * leafBytes, part.sizeBytes) - 1 }
      places.set(cidText(rawCid(leaf)), part.sizeBytes === 0 ? noBytes : { digest: part.digest, range })
    }
  }
  return { root: root.cid, places }
}

/** The bytes of a block; undefined where its blob has gone. */
export async function readBlock(bucket: BucketReader, place: BlockPlace, wait: Wait): Promise<Uint8Array | undefined> {
  if (place instanceof Uint8Array) return place
  const opened = await bucket.open(blobKey(place.digest), place.range, wait)
  return opened === undefined ? undefined : new Uint8Array(await new Response(opened.body).arrayBuffer())
}

const noBytes = new Uint8Array()

/** The sha256 of each leaf; `rootOf` has made sure that they are recorded. */
async function leavesOf(bucket: BucketReader, { digest, sizeBytes }: RecordedDigest, wait: Wait) {
  if (cidOfSmallBlob(digest, sizeBytes) !== undefined) return [hashOf(digest)]
  const record = await readLeaves(bucket, digest, wait)
  if (record?.sizeBytes !== sizeBytes) throw new UpstreamError('bucket', `the leaves of ${digest} vanished`)
  return record.leaves
}
