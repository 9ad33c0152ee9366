// A key in a record of its own: made once, and one for all processes that start at once.

import type { Wait } from '../../shared/ports/bucket.ts'
import type { Records } from './records.ts'

export interface KeyFormat<Key> {
  make(): Key | Promise<Key>
  write(key: Key): string
  /** @throws where the text is none of ours */
  parse(text: string): Key
}

/**
 * The key in a record; it is made where it is missing. Processes that start at once agree on one.
 * @throws Error where the record is damaged, naming it
 */
export async function keyInRecord<Key>(
  records: Records,
  name: string,
  format: KeyFormat<Key>,
  wait: Wait,
): Promise<Key> {
  return (await readKey(records, name, format, wait)) ?? (await makeKey(records, name, format, wait))
}

async function readKey<Key>(
  records: Records,
  name: string,
  format: KeyFormat<Key>,
  wait: Wait,
): Promise<Key | undefined> {
  const text = await records.read(name, wait)
  if (text === undefined) return undefined
  try {
    return format.parse(text)
  } catch {
    throw new Error(`${records.where(name)} is damaged; remove it, and a new key is made at the next start`)
  }
}

async function makeKey<Key>(records: Records, name: string, format: KeyFormat<Key>, wait: Wait): Promise<Key> {
  const key = await format.make()
  if (await records.create(name, format.write(key), wait)) return key
  const theirs = await readKey(records, name, format, wait)
  if (theirs === undefined) throw new Error(`${records.where(name)} vanished while it was read`)
  return theirs
}
