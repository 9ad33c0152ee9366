// The digest and the leaves of an upload, by whoever can tell them soonest.

import { startBlobHash } from '../ipfs/blob-hash.ts'
import type { BlobHash, Hasher } from '../ports/hasher.ts'
import type { Uploads } from '../ports/uploads.ts'
import type { DigestAlgorithm } from '../protocol/digest.ts'

/** @param deps.hasher for staging that does not hash by itself @param withLeaves whether anybody will ask for its leaves */
export function hashUpload(
  { uploads, hasher }: { readonly uploads: Uploads; readonly hasher: Hasher },
  id: string,
  algorithm: DigestAlgorithm,
  withLeaves: boolean,
): BlobHash {
  return uploads.hash?.(id, algorithm, withLeaves) ?? startBlobHash(hasher, algorithm, withLeaves)
}
