// Requests on one thing, one at a time, of which the newest wins: it interrupts the one before and waits until that has
// let go. A client whose connection broke comes back long before we notice that the old connection is dead.

import type { Wait } from '../ports/bucket.ts'
import { orAborted } from './or-aborted.ts'

export interface NewestFirst {
  /** Whether some work has the key now. */
  isTaken(key: string): boolean

  /** @param work has to end soon once its signal is aborted, with `interruption` where a newer one came */
  take<Result>(key: string, wait: Wait, work: (turn: Wait) => Promise<Result>): Promise<Result>
}

/** @param interruption the reason that is given to the work that was interrupted */
export function createNewestFirst(interruption: (key: string) => Error): NewestFirst {
  const current = new Map<string, { controller: AbortController; ended: Promise<void> }>()
  return {
    isTaken: (key) => current.has(key),

    async take(key, wait, work) {
      const before = current.get(key)
      before?.controller.abort(interruption(key))
      const controller = new AbortController()
      const ended = Promise.withResolvers<void>()
      const turn = { controller, ended: ended.promise }
      current.set(key, turn)
      try {
        if (before !== undefined) await orAborted(wait.signal, before.ended)
        return await work({ signal: AbortSignal.any([wait.signal, controller.signal]) })
      } finally {
        ended.resolve()
        if (current.get(key) === turn) current.delete(key)
      }
    },
  }
}
