// Work that many may want at once is done once, and ends when nobody wants it any more: what it brings is only theirs. (A
// flight of shared/concurrency/flights.ts goes on, since what that brings is kept.)

import type { Wait } from '../../../shared/ports/bucket.ts'
import { orAborted } from '../../../shared/concurrency/or-aborted.ts'

export interface AbandonableFlights {
  /**
   * Follows the work that is under way for `key`, or begins it. One who leaves, leaves alone: the work's signal is
   * aborted only when nobody follows it any more.
   */
  join(key: string, wait: Wait, begin: (wait: Wait) => Promise<void>): Promise<void>
}

interface Flight {
  readonly done: Promise<void>
  readonly controller: AbortController
  followers: number
}

export function createAbandonableFlights(): AbandonableFlights {
  const flights = new Map<string, Flight>()

  function take(key: string, begin: (wait: Wait) => Promise<void>): Flight {
    const underWay = flights.get(key)
    if (underWay !== undefined) return underWay
    const controller = new AbortController()
    const flight = { done: begin({ signal: controller.signal }), controller, followers: 0 }
    flights.set(key, flight)
    return flight
  }

  return {
    async join(key, wait, begin) {
      wait.signal.throwIfAborted()
      const flight = take(key, begin)
      flight.followers += 1
      const leave = () => {
        if (flights.get(key) === flight) flights.delete(key)
      }
      try {
        // Those who come after the end begin anew, even if the others have not yet heard of it.
        await orAborted(wait.signal, flight.done.finally(leave))
      } finally {
        flight.followers -= 1
        if (flight.followers === 0) {
          leave()
          flight.controller.abort(wait.signal.reason)
        }
      }
    },
  }
}
