// Hashing of streams. Bytes that are held whole are hashed by protocol/digest.ts.

import type { Digest, DigestAlgorithm } from '../protocol/digest.ts'

export interface RunningHash {
  readonly algorithm: DigestAlgorithm
  update(chunk: Uint8Array): void
  /** Of the bytes so far. */
  digest(): Digest
}

export interface Hasher {
  start(algorithm: DigestAlgorithm): RunningHash
}
