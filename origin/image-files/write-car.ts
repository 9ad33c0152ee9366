// An image of the bucket as a CAR: all of its blocks, the root first.

import { CarWriter } from '@ipld/car/writer'
import { CID } from 'multiformats/cid'
import { isBlock, parseBlockName } from '../../shared/ipfs/verify-block.ts'
import type { Bucket, Wait } from '../../shared/ports/bucket.ts'
import type { Cid } from '../../shared/protocol/cid.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { imageBlocks, readBlock } from '../../shared/registry/image-blocks.ts'
import type { ImageRecord } from '../../shared/registry/image-record.ts'

export interface ImageCar {
  readonly root: Cid
  /** Version 1. Ends in UpstreamError('bucket') where a blob is damaged. */
  readonly bytes: AsyncIterable<Uint8Array>
}

/** @param image all of whose parts are in the bucket */
export async function carOfImage(bucket: Bucket, image: ImageRecord, wait: Wait): Promise<ImageCar> {
  const { root, places } = await imageBlocks(bucket, image, wait)

  async function* blocks() {
    for (const [cid, place] of places) {
      const bytes = await readBlock(bucket, place, wait)
      if (bytes === undefined || !(await isBlock(parseBlockName(cid), bytes))) {
        const blob = place instanceof Uint8Array ? cid : place.digest
        throw new UpstreamError('bucket', `the bytes of ${blob} are gone or damaged; push it again`)
      }
      yield { cid: CID.parse(cid), bytes }
    }
  }

  return { root, bytes: carOf(CID.parse(root), blocks()) }
}

async function* carOf(
  root: CID,
  blocks: AsyncIterable<{ readonly cid: CID; readonly bytes: Uint8Array }>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { writer, out } = CarWriter.create([root])
  const writing = (async () => {
    for await (const block of blocks) await writer.put(block)
    await writer.close()
  })()
  let failed: { readonly error: unknown } | undefined
  const watched = writing.catch(async (error: unknown) => {
    failed = { error }
    await writer.close()
  })
  // What was put before a failure comes out first; nobody takes that for a whole CAR, since this ends in the error.
  for await (const chunk of out) if (failed === undefined) yield chunk
  await watched
  if (failed !== undefined) throw failed.error
}
