// Work that must not overlap within this process takes turns.

import type { Wait } from '../ports/bucket.ts'
import { orAborted } from './or-aborted.ts'

export interface Turns {
  /**
   * Runs `work` when all earlier work with one of the keys is over, in order of arrival. Rejects with the signal's reason
   * once it is aborted, but the next has its turn only when work that was begun is over: what it wrote may still arrive.
   */
  take<Result>(keys: readonly string[], wait: Wait, work: () => Promise<Result>): Promise<Result>
}

export function createTurns(): Turns {
  const lastOf = new Map<string, Promise<void>>()
  return {
    take(keys, { signal }, work) {
      // All at once: two who want the same keys in another order do not wait for each other.
      const earlier = keys.map((key) => lastOf.get(key)).filter((each) => each !== undefined)
      const running = Promise.all(earlier).then(() => {
        signal.throwIfAborted()
        return work()
      })
      const over = running
        .then(() => {})
        .catch(() => {}) // Who takes the turn hears of it.
        .finally(() => {
          for (const key of keys) if (lastOf.get(key) === over) lastOf.delete(key)
        })
      for (const key of keys) lastOf.set(key, over)
      return orAborted(signal, running)
    },
  }
}
