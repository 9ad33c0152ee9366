// Hashes the leaves of a file while its bytes stream by.

import { leafBytes } from './cid.ts'

export interface LeafHasher {
  /** Takes the next bytes; they may be reused afterwards. Waits while too many leaves are still being hashed. */
  update(chunk: Uint8Array): Promise<void>
  /** The sha256 of each leaf so far, the last one included. It takes no more bytes afterwards. */
  end(): Promise<readonly Uint8Array[]>
}

/** Leaves that are hashed at once: each holds 1 MiB, and the platform hashes beside the thread that we are on. */
const leavesAtOnce = 4

export function createLeafHasher(): LeafHasher {
  const hashes: Promise<Uint8Array>[] = []
  const free: Uint8Array<ArrayBuffer>[] = []
  let leaf = new Uint8Array(leafBytes)
  let filled = 0

  async function hash(buffer: Uint8Array<ArrayBuffer>, length: number): Promise<Uint8Array> {
    const digest = await crypto.subtle.digest('SHA-256', length === leafBytes ? buffer : buffer.subarray(0, length))
    free.push(buffer)
    return new Uint8Array(digest)
  }

  return {
    async update(chunk) {
      let taken = 0
      while (taken < chunk.byteLength) {
        const part = chunk.subarray(taken, taken + leafBytes - filled)
        leaf.set(part, filled)
        filled += part.byteLength
        taken += part.byteLength
        if (filled < leafBytes) return
        hashes.push(hash(leaf, filled))
        filled = 0
        await hashes.at(-leavesAtOnce)
        leaf = free.pop() ?? new Uint8Array(leafBytes)
      }
    },

    async end() {
      if (filled > 0 || hashes.length === 0) hashes.push(hash(leaf, filled))
      return Promise.all(hashes)
    },
  }
}
