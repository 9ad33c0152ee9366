// The digest of a blob and the hashes of its leaves, in one go while its bytes stream by.

import type { Hasher, RunningHash } from '../ports/hasher.ts'
import type { DigestAlgorithm } from '../protocol/digest.ts'
import { hashOf, leafBytes } from './cid.ts'

export interface BlobHash extends RunningHash {
  /** The sha256 of each leaf of the bytes so far, in order. */
  leaves(): readonly Uint8Array[]
}

/** @param algorithm of the blob's digest */
export function startBlobHash(hasher: Hasher, algorithm: DigestAlgorithm): BlobHash {
  const whole = hasher.start(algorithm)
  const ended: Uint8Array[] = []
  // The first leaf of a blob under sha256 is all there is of the blob by then, so a blob of one leaf is hashed once.
  let leaf = algorithm === 'sha256' ? whole : hasher.start('sha256')
  let leafSizeBytes = 0

  return {
    algorithm,
    digest: () => whole.digest(),
    leaves: () => [...ended, hashOf(leaf.digest())],
    update(chunk) {
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
