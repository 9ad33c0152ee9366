// 32 random bytes in a file of their own.

import { randomBytes } from 'node:crypto'
import { keyInFile, type KeyFormat } from './key-file.ts'

const keyBytes = 32

/** One line of base64url. */
const format: KeyFormat<Uint8Array> = {
  make: () => randomBytes(keyBytes),
  write: (key) => `${Buffer.from(key).toString('base64url')}\n`,
  parse: (text) => {
    const line = text.trimEnd()
    const key = Buffer.from(line, 'base64url')
    if (key.byteLength !== keyBytes || key.toString('base64url') !== line) throw new Error('not a key')
    return key
  },
}

/**
 * The key in `file`, 32 bytes; it is made where it is missing. Processes that start at once agree on one.
 * @throws Error where the file is damaged, naming it
 */
export function randomKey(file: string): Promise<Uint8Array> {
  return keyInFile(file, format)
}
