// Files and folders that the disk has when a call resolves, in as few rounds to the thread pool as can be: on a fast disk
// a round takes longer than what it is for.

import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'

/** Each write returns when the disk has it: one round less than to sync afterwards. */
const newAndSynced = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_DSYNC

/** Writes a new file; its name is durable once its folder is synced. Rejects with EEXIST where there is one. */
export async function writeSyncedFile(path: string, bytes: Uint8Array, mode?: number): Promise<void> {
  const file = await open(path, newAndSynced, mode)
  try {
    await file.writeFile(bytes)
  } finally {
    closeSoon(file)
  }
}

/** Makes the names in a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    closeSoon(folder)
  }
}

/** Closes a file that nobody waits for: nothing was written to it, or what was is synced, or will be by another handle. */
export function closeSoon(file: FileHandle): void {
  file.close().catch(() => {})
}
