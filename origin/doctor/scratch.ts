// What the checks write into the bucket: all of it under keys of their own, and gone when they are done.

import type { Key } from '../../shared/layout/keys.ts'
import type { Bucket, Wait } from '../../shared/ports/bucket.ts'

export interface Scratch {
  write(key: Key, bytes: Uint8Array, wait: Wait): Promise<void>
  remove(key: Key, wait: Wait): Promise<void>
  /** Removes what is left; what cannot be removed stays, and is told. */
  clear(wait: Wait): Promise<readonly Key[]>
}

/** @param open the bucket, when something is to be written: opening a folder makes it */
export function createScratch(open: () => Promise<Bucket>): Scratch {
  const written = new Set<Key>()
  const remove = async (key: Key, wait: Wait) => {
    await (await open()).remove(key, wait)
    written.delete(key)
  }
  return {
    remove,
    async write(key, bytes, wait) {
      const bucket = await open()
      // Before it is known to be there: an answer may get lost.
      written.add(key)
      try {
        await bucket.write(key, bytes, wait)
      } catch (error) {
        // Refused, so nothing is there; what was aborted may be.
        if (!wait.signal.aborted) written.delete(key)
        throw error
      }
    },
    async clear(wait) {
      // The newest first, so that no link is left without what it names.
      for (const key of [...written].toReversed()) await remove(key, wait).catch(() => {})
      return [...written]
    },
  }
}
