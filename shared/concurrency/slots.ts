// So many at once, and the others wait their turn.

import { orAborted } from './or-aborted.ts'

export interface Slots {
  /** Runs `work` once one of the slots is free. Rejects with the signal's reason where none is before it is aborted. */
  run<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result>
}

export function createSlots(count: number): Slots {
  const waiting = new Set<() => void>()
  let free = count

  function release(): void {
    free += 1
    const [next] = waiting
    if (next === undefined) return
    waiting.delete(next)
    free -= 1
    next()
  }

  async function take(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (free > 0) {
      free -= 1
      return
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    waiting.add(resolve)
    try {
      await orAborted(signal, promise)
    } catch (error) {
      // Where the turn came at the same moment it goes to the next.
      if (!waiting.delete(resolve)) release()
      throw error
    }
  }

  return {
    async run(signal, work) {
      await take(signal)
      try {
        return await work()
      } finally {
        release()
      }
    },
  }
}
