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

/** What is known of a blob when its bytes have gone by. Rejects with UpstreamError where they could not be read. */
export interface BlobHash {
  readonly algorithm: DigestAlgorithm
  /** The next bytes. */
  update(chunk: Uint8Array): void
  /** Of the bytes so far. */
  digest(): Promise<Digest>
  /** The sha256 of each leaf of the bytes so far, in order. Rejects where it was begun without. */
  leaves(): Promise<readonly Uint8Array[]>
  /** Nobody asks any more. */
  end(): void
}
