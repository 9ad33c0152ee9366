// The identity of the embedded IPFS node: an Ed25519 key, kept so that peers who have its id in their configuration find
// the same node after a restart.

import { randomBytes } from 'node:crypto'
import { keyInFile, type KeyFormat } from './key-file.ts'

const seedBytes = 32

/** One line: the seed in base64url. The key pair follows from it. */
const format: KeyFormat<Uint8Array> = {
  make: () => randomBytes(seedBytes),
  write: (seed) => `${Buffer.from(seed).toString('base64url')}\n`,
  parse: (text) => {
    const line = text.trimEnd()
    const seed = Buffer.from(line, 'base64url')
    if (seed.byteLength !== seedBytes || seed.toString('base64url') !== line) throw new Error('not a seed')
    return seed
  },
}

/**
 * The Ed25519 seed in `file`, 32 bytes; it is made where it is missing. Processes that start at once agree on one.
 * @throws Error where the file is damaged, naming it
 */
export function swarmKey(file: string): Promise<Uint8Array> {
  return keyInFile(file, format)
}
