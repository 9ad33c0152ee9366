// The UnixFS file of some bytes, from the digests of its leaves alone.

import { unixfs } from '@helia/unixfs'
import type { Blockstore } from 'interface-blockstore'
import type { Block } from '../ports/content-store.ts'
import type { Cid } from '../protocol/cid.ts'
import { cidText, leafBytes, rawCid } from './cid.ts'

/** What IPFS calls a blob, and what of it is not in the blob. */
export interface FileShape {
  readonly cid: Cid
  readonly sizeBytes: number
  /** Bytes of the whole DAG, as links to the file state them (dag-pb Tsize). */
  readonly dagSizeBytes: number
  /** Its inner nodes; none where the file is one leaf. */
  readonly nodes: readonly Block[]
}

/** How many leaves a file has; one that is empty has one. */
export function leafCount(sizeBytes: number): number {
  return Math.max(1, Math.ceil(sizeBytes / leafBytes))
}

/**
 * The file that these leaves make under the profile unixfs-v1-2025: raw leaves of 1 MiB, balanced, 1,024 links a node.
 * @param leaves the sha256 of each leaf, 32 bytes each, in order
 * @throws RangeError where there are more or fewer leaves than a file of this size has
 */
export async function shapeOfFile(sizeBytes: number, leaves: readonly Uint8Array[]): Promise<FileShape> {
  if (leaves.length !== leafCount(sizeBytes))
    throw new RangeError(`a file of ${sizeBytes} bytes has ${leafCount(sizeBytes)} leaves, not ${leaves.length}`)
  const nodes: Block[] = []
  let dagSizeBytes = sizeBytes
  // The library lays out the nodes; leaves never pass through it.
  const files = unixfs({
    blockstore: {
      put(cid, bytes) {
        nodes.push({ cid: cidText(cid), bytes: bytes as Uint8Array })
        dagSizeBytes += (bytes as Uint8Array).byteLength
        return cid
      },
    } as Blockstore,
  })
  const cid = await files.addByteStream([], {
    async *bufferImporter() {
      for (const [at, hash] of leaves.entries()) {
        const size = BigInt(Math.min(leafBytes, sizeBytes - at * leafBytes))
        yield async () => ({ cid: rawCid(hash), size, block: noBytes })
      }
    },
  })
  return { cid: cidText(cid), sizeBytes, dagSizeBytes, nodes }
}

const noBytes = new Uint8Array()
