// Files that survive a power cut. A file is durable when its bytes were synced, and its name is when the folder that
// holds it was synced, and so on up to a folder that is known to be durable.

import { mkdir, open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { LRUCache } from 'lru-cache'

/** Folders remembered as durable; what falls out costs one more sync when it is used again. */
const rememberLimit = 50_000

export interface DurableFolder {
  /**
   * Moves a file, whose bytes were synced, to `target`, making the folders on the way. When it resolves the file is
   * there for good. Readers see what was there before, or the file, whole.
   */
  moveInto(file: string, target: string): Promise<void>
}

/** @param root an existing folder; all targets lie under it */
export function createDurableFolder(root: string): DurableFolder {
  const durable = new LRUCache<string, true>({ max: rememberLimit })
  durable.set(root, true)

  /** The folders from `folder` up that are not known to be durable, and the one above them. */
  function unsynced(folder: string): string[] {
    const folders: string[] = []
    let at = folder
    while (at !== root && !durable.has(at)) {
      folders.push(at)
      at = dirname(at)
    }
    return folders
  }

  return {
    async moveInto(file, target) {
      const folder = dirname(target)
      const fresh = unsynced(folder)
      if (fresh.length > 0) await mkdir(folder, { recursive: true })
      try {
        await rename(file, target)
      } catch (error) {
        if (!isMissing(error)) throw error
        // A folder that we took for granted was removed meanwhile (a delete empties folders): make it again.
        for (let at = folder; at !== root; at = dirname(at)) durable.delete(at)
        await mkdir(folder, { recursive: true })
        await rename(file, target)
        fresh.splice(0, fresh.length, ...unsynced(folder))
      }
      // Together, so that the file system can make one transaction of them.
      await Promise.all([...new Set([folder, ...fresh.map((each) => dirname(each))])].map(syncFolder))
      for (const each of fresh) durable.set(each, true)
    },
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Whether a file or a folder on the way to it does not exist. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')
}
