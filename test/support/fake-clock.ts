// A clock that stands still until a test moves it: timers run inside `advance`, in the order they fall due.

import type { Clock } from '../../shared/ports/clock.ts'

export interface FakeClock extends Clock {
  /** Moves time on, running every timer that falls due on the way, at its own time. */
  advance(ms: number): void
  /** Timers that are set and have neither run nor been cancelled. */
  readonly pending: number
  /** Resolves once a timer is set: the code under test has come to where it waits. */
  untilArmed(): Promise<void>
}

/** @param startMs not 0 by default, since some libraries take a time of 0 for none */
export function createFakeClock(startMs = Date.UTC(2026, 0, 1)): FakeClock {
  let now = startMs
  const timers = new Set<{ readonly due: number; readonly callback: () => void }>()
  const armed: (() => void)[] = []

  function earliestUntil(end: number) {
    const due = [...timers].filter((timer) => timer.due <= end)
    // A Set keeps the order of insertion and sorting is stable, so equal times run as they were set.
    return due.sort((a, b) => a.due - b.due)[0]
  }

  return {
    now: () => now,
    after(ms, callback) {
      const timer = { due: now + ms, callback }
      timers.add(timer)
      for (const resolve of armed.splice(0)) resolve()
      return () => void timers.delete(timer)
    },
    advance(ms) {
      const end = now + ms
      for (let timer = earliestUntil(end); timer !== undefined; timer = earliestUntil(end)) {
        now = timer.due
        timers.delete(timer)
        timer.callback()
      }
      now = end
    },
    get pending() {
      return timers.size
    },
    async untilArmed() {
      if (timers.size === 0) await new Promise<void>((resolve) => armed.push(resolve))
    },
  }
}
