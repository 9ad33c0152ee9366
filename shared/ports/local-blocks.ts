// What the embedded IPFS node may hand out to strangers: the blocks that a published root reaches, and nothing else.

import type { Cid } from '../protocol/cid.ts'
import type { Wait } from './bucket.ts'

export interface LocalBlocks {
  /**
   * A block's bytes, at most `blockLimitBytes`. Undefined where it is not published, which must cost little: anybody may
   * ask for anything, and asks again. Rejects with UpstreamError where it cannot be read now.
   */
  get(cid: Cid, wait: Wait): Promise<Uint8Array | undefined>
}
