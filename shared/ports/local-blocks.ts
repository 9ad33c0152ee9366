// The blocks that this node hands out to others. Adapter: shared/registry/published-blocks.ts.

import type { Cid } from '../protocol/cid.ts'
import type { Wait } from './bucket.ts'

export interface LocalBlocks {
  /** A block's bytes; undefined where there is none, or it is not for others. */
  get(cid: Cid, wait: Wait): Promise<Uint8Array | undefined>
}
