// Files that survive a power cut. A file is durable when its bytes were synced, and its name is when the folder that
// holds it was synced, and so on up to a folder that is known to be durable.

import { link, mkdir, rename, rmdir, unlink } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { LRUCache } from 'lru-cache'
import { syncFolder } from './synced-files.ts'

/** Folders remembered as durable; what falls out costs one more sync when it is used again. */
const rememberLimit = 50_000

export interface DurableFolder {
  /**
   * Moves a file to `target`, making the folders on the way. When it resolves the file is there for good. Readers see what
   * was there before, or the file, whole.
   * @param synced resolves with the file once its bytes are synced; the folders are made meanwhile
   * @param moved is called once it is at its target, and waited for
   */
  moveInto(synced: Promise<string>, target: string, moved?: () => Promise<unknown>): Promise<void>

  /** The same where there is no `target`; returns false where there is one, which stays. The file stays in either case. */
  linkInto(synced: Promise<string>, target: string): Promise<boolean>

  /** Removes a file, and the folders that this emptied. When it resolves the file is gone for good. */
  remove(target: string): Promise<void>
}

/**
 * Folders that stay when they are empty. CNCF Distribution lists the folders in `tags` as tags, and takes a repository
 * without these for one that never was.
 */
const keptFolders = new Set(['_manifests', '_layers', 'tags', 'revisions'])

/** How often a writer makes a folder again that a delete took away under its hands. */
const attempts = 100

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

  function forget(folder: string): void {
    for (let at = folder; at !== root; at = dirname(at)) durable.delete(at)
  }

  /** Runs what gives a file its name in a folder, which is made where it is missing, and makes that name durable. */
  async function nameIn<Result>(
    folder: string,
    synced: Promise<string>,
    name: (file: string) => Promise<Result>,
    named?: () => Promise<unknown>,
  ): Promise<Result> {
    // Heard of when it is waited for.
    synced.catch(() => {})
    let fresh = unsynced(folder)
    let result: Result
    for (let attempt = 1; ; attempt++) {
      if (fresh.length > 0) await mkdir(folder, { recursive: true })
      const file = await synced
      try {
        result = await name(file)
        break
      } catch (error) {
        if (!isMissing(error) || attempt === attempts) throw error
        // A folder that we took for granted was removed meanwhile (a delete empties folders): make it again.
        forget(folder)
        fresh = unsynced(folder)
      }
    }
    // Together, so that the file system can make one transaction of them.
    const changed = [...new Set([folder, ...fresh.map((each) => dirname(each))])]
    await Promise.all([...changed.map(syncIfThere), named?.()])
    for (const each of fresh) durable.set(each, true)
    return result
  }

  return {
    moveInto: (synced, target, moved) => nameIn(dirname(target), synced, (file) => rename(file, target), moved),

    linkInto: (synced, target) =>
      nameIn(dirname(target), synced, async (file) => {
        try {
          await link(file, target)
          return true
        } catch (error) {
          if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
          throw error
        }
      }),

    async remove(target) {
      try {
        await unlink(target)
      } catch (error) {
        if (isMissing(error)) return
        throw error
      }
      let folder = dirname(target)
      while (folder !== root && !keptFolders.has(basename(folder)) && (await removedEmpty(folder))) {
        durable.delete(folder)
        folder = dirname(folder)
      }
      await syncIfThere(folder)
    },
  }
}

/** What was removed meanwhile is synced by whoever did so, with the folder above it. */
async function syncIfThere(folder: string): Promise<void> {
  try {
    await syncFolder(folder)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}

/** Removes a folder if nothing is in it. */
async function removedEmpty(folder: string): Promise<boolean> {
  try {
    await rmdir(folder)
    return true
  } catch (error) {
    if (isMissing(error)) return true
    if (error instanceof Error && 'code' in error && (error.code === 'ENOTEMPTY' || error.code === 'EEXIST'))
      return false
    throw error
  }
}

/** Whether a file or a folder on the way to it does not exist. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')
}
