// Hashes the leaves of a file while its bytes stream by.

import { leafBytes } from './cid.ts'

export interface LeafHasher {
  /** Takes the next bytes; they may be reused afterwards. Waits while too many leaves are still being worked on. */
  update(chunk: Uint8Array): Promise<void>
  /** The sha256 of each leaf so far, the last one included. It takes no more bytes afterwards. */
  end(): Promise<readonly Uint8Array[]>
  /** Nobody will ask for its end, or it was asked for: what it holds may serve another. It takes no more bytes. */
  abandon(): void
}

/** Leaves that are hashed at once: each holds 1 MiB, and the platform hashes beside the thread that we are on. */
const leavesAtOnce = 4

/** Leaves of 1 MiB that no file needs now: to have one from the system takes as long as to hash most layers. */
const spare: Uint8Array<ArrayBuffer>[] = []
const sparesKept = 8

function giveBack(leaf: Uint8Array<ArrayBuffer>): void {
  if (leaf.byteLength === leafBytes && spare.length < sparesKept) spare.push(leaf)
}

/**
 * @param pass gets each leaf in order, where the file has more than one. It must not reject; the bytes are its own until
 * it resolves.
 */
export function createLeafHasher(pass?: (leaf: Uint8Array<ArrayBuffer>) => Promise<void>): LeafHasher {
  const hashes: Promise<Uint8Array>[] = []
  let leaf: Uint8Array<ArrayBuffer> | undefined
  let filled = 0
  let passed = Promise.resolve()

  async function finish(whole: Uint8Array<ArrayBuffer>, length: number): Promise<Uint8Array> {
    const [digest] = await Promise.all([crypto.subtle.digest('SHA-256', whole.subarray(0, length)), passed])
    giveBack(whole)
    return new Uint8Array(digest)
  }

  function passOn(bytes: Uint8Array<ArrayBuffer>): void {
    if (pass !== undefined) passed = passed.then(() => pass(bytes))
  }

  return {
    async update(chunk) {
      let taken = 0
      while (taken < chunk.byteLength) {
        if (leaf !== undefined && filled === leafBytes) {
          // Not before the next one begins: a file of one leaf has its digest for a name, and this one is not asked for.
          passOn(leaf)
          hashes.push(finish(leaf, leafBytes))
          leaf = undefined
          filled = 0
          await hashes.at(-leavesAtOnce)
        }
        leaf ??= spare.pop() ?? new Uint8Array(leafBytes)
        const part = chunk.subarray(taken, taken + leafBytes - filled)
        leaf.set(part, filled)
        filled += part.byteLength
        taken += part.byteLength
      }
    },

    async end() {
      const last = leaf ?? new Uint8Array()
      leaf = undefined
      if (hashes.length > 0) passOn(last.subarray(0, filled))
      hashes.push(finish(last, filled))
      return Promise.all(hashes)
    },

    abandon() {
      if (leaf !== undefined) giveBack(leaf)
      leaf = undefined
    },
  }
}
