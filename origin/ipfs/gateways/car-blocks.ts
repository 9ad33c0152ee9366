// The blocks of a CAR as they arrive, unchecked, in memory that is bounded whatever the CAR announces.

import { CarBlockIterator } from '@ipld/car/iterator'
import { blockLimitBytes } from '../../../shared/ports/block-source.ts'
import type { Block } from '../../../shared/ports/content-store.ts'
import { cidText } from '../../../shared/ipfs/cid.ts'
import type { LimitedAnswer } from './limited-answer.ts'

/** The largest block, its CID and lengths. A header with one root is smaller. */
const sectionLimitBytes = blockLimitBytes + 1024

/** Throws where the CAR is malformed or ends within a block, and where one of its blocks is too large. */
export async function* carBlocks(answer: LimitedAnswer): AsyncGenerator<Block, void, undefined> {
  let bytesSinceBlock = 0
  // The parser takes all bytes that a length announces into memory, and asks for more until it has them.
  async function* limited(): AsyncGenerator<Uint8Array, void, undefined> {
    for (let chunk = await answer.read(); chunk !== undefined; chunk = await answer.read()) {
      if (bytesSinceBlock > sectionLimitBytes) throw new Error('a CAR announces more than any block has')
      bytesSinceBlock += chunk.byteLength
      yield chunk
    }
  }
  for await (const { cid, bytes } of await CarBlockIterator.fromIterable(limited())) {
    bytesSinceBlock = 0
    yield { cid: cidText(cid), bytes }
  }
}
