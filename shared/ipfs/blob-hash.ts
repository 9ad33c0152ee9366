// The digest of a blob and the hashes of its leaves, in one go while its bytes stream by.

import type { BlobHash, Hasher, RunningHash } from '../ports/hasher.ts'
import type { DigestAlgorithm } from '../protocol/digest.ts'
import { hashOf, leafBytes } from './cid.ts'

/** @param algorithm of the blob's digest @param withLeaves whether anybody will ask for its leaves, which costs another hash of every byte */
export function startBlobHash(hasher: Hasher, algorithm: DigestAlgorithm, withLeaves: boolean): BlobHash {
  const whole = hasher.start(algorithm)
  const leaves = withLeaves ? startLeaves(hasher, whole) : undefined
  return {
    algorithm,
    update: leaves === undefined ? (chunk) => whole.update(chunk) : (chunk) => leaves.update(chunk),
    digest: async () => whole.digest(),
    async leaves() {
      if (leaves === undefined) throw new Error('the leaves of this blob are not hashed')
      return leaves.all()
    },
    end() {},
  }
}

/** @param whole is told of every byte here too */
function startLeaves(hasher: Hasher, whole: RunningHash) {
  const ended: Uint8Array[] = []
  // The first leaf of a blob under sha256 is all there is of the blob by then, so a blob of one leaf is hashed once.
  let leaf = whole.algorithm === 'sha256' ? whole : hasher.start('sha256')
  let leafSizeBytes = 0

  return {
    all: () => [...ended, hashOf(leaf.digest())],
    update(chunk: Uint8Array) {
      for (let taken = 0; taken < chunk.byteLength;) {
        // Not before the next one begins: the last leaf may be a full one.
        if (leafSizeBytes === leafBytes) {
          ended.push(hashOf(leaf.digest()))
          leaf = hasher.start('sha256')
          leafSizeBytes = 0
        }
        const part = chunk.subarray(taken, taken + leafBytes - leafSizeBytes)
        whole.update(part)
        if (leaf !== whole) leaf.update(part)
        leafSizeBytes += part.byteLength
        taken += part.byteLength
      }
    },
  }
}
