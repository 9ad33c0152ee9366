// LocalBlocks as the read-only blockstore that Bitswap serves from. Bitswap answers wants in batches: it loads every block
// that a peer waits for, then sends them all. What one batch may hold is bounded here, since the asker is anybody.

import { NotFoundError } from '@libp2p/interface'
import type { Blockstore } from 'interface-blockstore'
import type { CID } from 'multiformats/cid'
import { cidText } from '../../../shared/ipfs/cid.ts'
import { blockLimitBytes } from '../../../shared/ports/block-source.ts'
import type { LocalBlocks } from '../../../shared/ports/local-blocks.ts'
import { unhurried } from '../../../shared/concurrency/unhurried.ts'
import type { Log } from '../../../shared/ports/log.ts'

/** Sixteen blocks of the largest size: twice what a Mirrorball asks of one peer at once. */
export const batchLimitBytes = 16 * blockLimitBytes

/** A sha-512 digest. Longer ones are blocks that lie in their own name, which nobody needs to be sent. */
const longestDigestBytes = 64

/** @param limitBytes where a batch holds this much, the rest of its wants is answered "do not have"; the peer may ask again */
export function createServedBlocks(blocks: LocalBlocks, log: Log, limitBytes = batchLimitBytes): Blockstore {
  // Bitswap makes one signal for each batch.
  const batchBytes = new WeakMap<AbortSignal, number>()

  async function read(cid: CID, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const sentBytes = batchBytes.get(signal) ?? 0
    if (cid.multihash.digest.byteLength > longestDigestBytes || sentBytes >= limitBytes) return undefined
    const bytes = await blocks.get(cidText(cid), { signal }).catch((error: unknown) => {
      // Any other answer would leave the peer without one for everything else that it asked for at the same time.
      log.warn('block not served to IPFS peers: it could not be read', { cid: cid.toString() }, error)
      return undefined
    })
    if (bytes !== undefined) batchBytes.set(signal, (batchBytes.get(signal) ?? 0) + bytes.byteLength)
    return bytes
  }

  return {
    // `get` tells, and takes one look where this would make it two.
    has: () => true,
    async *get(cid, options) {
      const bytes = await read(cid, options?.signal ?? unhurried.signal)
      if (bytes === undefined) throw new NotFoundError()
      yield bytes
    },
    put: refuse,
    delete: refuse,
    putMany: refuse,
    getMany: refuse,
    deleteMany: refuse,
    getAll: refuse,
  }
}

/** Bitswap calls none of these: what arrives goes to whoever waits for it, and is kept nowhere. */
function refuse(): never {
  throw new Error('served blocks are read one at a time, and never written')
}
