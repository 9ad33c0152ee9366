// 32 random bytes in a record of their own.

import { randomBytes } from 'node:crypto'
import type { Wait } from '../../shared/ports/bucket.ts'
import { keyInRecord, type KeyFormat } from './key-record.ts'
import type { Records } from './records.ts'

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
 * The key in a record, 32 bytes; it is made where it is missing. Processes that start at once agree on one.
 * @throws Error where the record is damaged, naming it
 */
export function randomKey(records: Records, name: string, wait: Wait): Promise<Uint8Array> {
  return keyInRecord(records, name, format, wait)
}
