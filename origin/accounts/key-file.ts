// A key in a file of its own: made once, readable by its owner alone, and one for all processes that start at once.

import { readFile } from 'node:fs/promises'
import { writeNewFile } from './private-file.ts'

export interface KeyFormat<Key> {
  make(): Key | Promise<Key>
  write(key: Key): string
  /** @throws where the text is none of ours */
  parse(text: string): Key
}

/**
 * The key in `file`; it is made where it is missing. Processes that start at once agree on one.
 * @throws Error where the file is damaged, naming it
 */
export async function keyInFile<Key>(file: string, format: KeyFormat<Key>): Promise<Key> {
  return (await readKey(file, format)) ?? (await makeKey(file, format))
}

async function readKey<Key>(file: string, format: KeyFormat<Key>): Promise<Key | undefined> {
  let text
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
  try {
    return format.parse(text)
  } catch {
    throw new Error(`${file} is damaged; remove it, and a new key is made at the next start`)
  }
}

async function makeKey<Key>(file: string, format: KeyFormat<Key>): Promise<Key> {
  const key = await format.make()
  if (await writeNewFile(file, format.write(key))) return key
  const theirs = await readKey(file, format)
  if (theirs === undefined) throw new Error(`${file} vanished while it was read`)
  return theirs
}
