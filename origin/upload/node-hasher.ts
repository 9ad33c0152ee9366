// Hashing of streams by Node's crypto.

import { createHash } from 'node:crypto'
import type { Hasher } from '../../shared/ports/hasher.ts'
import { digestFrom } from '../../shared/protocol/digest.ts'

export const nodeHasher: Hasher = {
  start(algorithm) {
    const hash = createHash(algorithm)
    return {
      algorithm,
      update(chunk) {
        hash.update(chunk)
      },
      digest: () => digestFrom(algorithm, hash.copy().digest('hex')),
    }
  },
}
