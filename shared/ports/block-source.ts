// Where blocks of IPFS come from: other nodes, gateways. Nothing a source says is believed: shared/ipfs checks every
// block against its CID.
//
// Adapters: origin/ipfs/kubo/kubo-source.ts, origin/ipfs/swarm/swarm.ts (Bitswap), origin/ipfs/gateways/gateway-source.ts.

import type { Cid } from '../protocol/cid.ts'
import type { Wait } from './bucket.ts'

export interface BlockSource {
  /** For the log, e.g. `kubo` or the host of a gateway; no secrets. */
  readonly name: string

  /**
   * Begins to read the DAG under `top`. Blocks will be asked for from the top on, children in their order, several at
   * once; a source that streams a whole DAG may do so.
   */
  open(top: Cid): BlockReader
}

export interface BlockReader {
  /**
   * A block's bytes, unchecked, at most `blockLimitBytes`. Undefined: the source answered that it has none, or it is a
   * network that was reached, and nobody in it had the block within the time that the source gives a search. Rejects with
   * UpstreamError('ipfs') where the source did not answer, stalled or broke, and with the signal's reason.
   */
  block(cid: Cid, wait: Wait): Promise<Uint8Array | undefined>

  /** Ends what it began. */
  close(): void
}

/** Bytes. Bitswap carries 2 MiB at most, so no network has a larger block. */
export const blockLimitBytes = 2 * 1024 * 1024
