// Files that only their owner may read, and that are never seen half written.

import { randomBytes } from 'node:crypto'
import { link, mkdir, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { syncFolder, writeSyncedFile } from '../bucket/synced-files.ts'

/**
 * Writes a new file, readable by its owner alone, and the folders on the way. When it resolves the file is there for good.
 * @returns false where there is such a file already; it stays as it is
 */
export async function writeNewFile(file: string, text: string): Promise<boolean> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const fresh = `${file}.${randomBytes(8).toString('hex')}`
  try {
    await writeSyncedFile(fresh, new TextEncoder().encode(text), 0o600)
    // Linked, not renamed: a link fails where another process was first.
    await link(fresh, file)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  } finally {
    await rm(fresh, { force: true })
  }
  await syncFolder(dirname(file))
  return true
}

/**
 * Writes a file anew, readable by its owner alone, and the folders on the way. Whoever reads it has the old text or the
 * new one, also after a crash.
 */
export async function replaceFile(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const fresh = `${file}.${randomBytes(8).toString('hex')}`
  try {
    await writeSyncedFile(fresh, new TextEncoder().encode(text), 0o600)
    await rename(fresh, file)
  } finally {
    await rm(fresh, { force: true })
  }
  await syncFolder(dirname(file))
}
