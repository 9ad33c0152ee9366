// Hashes the leaves of a file while its bytes stream by.

import { leafBytes } from './cid.ts'

export interface LeafHasher {
  /** Takes the next bytes; they may be reused afterwards. Waits while too many leaves are still being worked on. */
  update(chunk: Uint8Array): Promise<void>
  /** The sha256 of each leaf so far, the last one included. It takes no more bytes afterwards. */
  end(): Promise<readonly Uint8Array[]>
}

/** Leaves that are hashed at once: each holds 1 MiB, and the platform hashes beside the thread that we are on. */
const leavesAtOnce = 4

/**
 * @param pass gets each leaf in order, where the file has more than one. It must not reject; the bytes are its own until
 * it resolves.
 */
export function createLeafHasher(pass?: (leaf: Uint8Array<ArrayBuffer>) => Promise<void>): LeafHasher {
  const hashes: Promise<Uint8Array>[] = []
  const free: Uint8Array<ArrayBuffer>[] = []
  let leaf = new Uint8Array(leafBytes)
  let filled = 0
  let passed = Promise.resolve()

  async function finish(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
    const [digest] = await Promise.all([crypto.subtle.digest('SHA-256', bytes), passed])
    if (bytes.byteLength === leafBytes) free.push(bytes)
    return new Uint8Array(digest)
  }

  function passOn(bytes: Uint8Array<ArrayBuffer>): void {
    if (pass !== undefined) passed = passed.then(() => pass(bytes))
  }

  return {
    async update(chunk) {
      let taken = 0
      while (taken < chunk.byteLength) {
        if (filled === leafBytes) {
          // Not before the next one begins: a file of one leaf has its digest for a name, and this one is not asked for.
          passOn(leaf)
          hashes.push(finish(leaf))
          filled = 0
          await hashes.at(-leavesAtOnce)
          leaf = free.pop() ?? new Uint8Array(leafBytes)
        }
        const part = chunk.subarray(taken, taken + leafBytes - filled)
        leaf.set(part, filled)
        filled += part.byteLength
        taken += part.byteLength
      }
    },

    async end() {
      if (hashes.length > 0) passOn(leaf.subarray(0, filled))
      hashes.push(finish(leaf.subarray(0, filled)))
      return Promise.all(hashes)
    },
  }
}
