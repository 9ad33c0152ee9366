// Work that many may want at once is done once: all who want the same follow one flight. A flight goes on when they have
// left, for what it brings stays here.

import type { Clock } from '../ports/clock.ts'
import { type Deadline, deadline } from './deadline.ts'
import { UpstreamError } from '../protocol/errors.ts'

export interface FlightLimits {
  /** Milliseconds without progress after which a flight fails. */
  readonly timeoutMs: number
  /** Flights at once; more are refused. */
  readonly atOnce: number
}

export interface Flights {
  /**
   * The flight under `key`, or a new one.
   * @param begin must extend the deadline whenever there is progress
   * @param lasts until when a flight has to be followed rather than begun again, where that is later than its result
   */
  join<Result>(
    key: string,
    begin: (limit: Deadline) => Promise<Result>,
    lasts?: (result: Result) => Promise<unknown>,
  ): Promise<Result>

  /** Whether there is one to follow. */
  isUnderWay(key: string): boolean
}

export function createFlights(clock: Clock, limits: FlightLimits): Flights {
  const underWay = new Map<string, Promise<unknown>>()
  return {
    join<Result>(
      key: string,
      begin: (limit: Deadline) => Promise<Result>,
      lasts: (result: Result) => Promise<unknown> = async () => {},
    ): Promise<Result> {
      const known = underWay.get(key)
      // Of one key all results are of one type.
      if (known !== undefined) return known as Promise<Result>
      if (underWay.size >= limits.atOnce)
        return Promise.reject(new UpstreamError('ipfs', `${limits.atOnce} fetches are under way, which is the limit`))
      const slow = () => new UpstreamError('ipfs', `nothing came for ${limits.timeoutMs} ms`)
      const limit = deadline(clock, limits.timeoutMs, undefined, slow)
      const flight = begin(limit)
      underWay.set(key, flight)
      void flight
        .then(lasts)
        .catch(() => {}) // Who follows the flight hears of it.
        .finally(() => {
          limit.clear()
          underWay.delete(key)
        })
      return flight
    },

    isUnderWay: (key) => underWay.has(key),
  }
}
