// A rate limiter in memory, by token buckets: each key may do as much at once as is allowed in a minute, and goes on at
// that rate.

import { LRUCache } from 'lru-cache'
import type { Clock } from '../ports/clock.ts'
import type { RateLimiter } from '../ports/rate-limiter.ts'

const minuteMs = 60_000

/** Each takes some 200 bytes. */
const rememberedKeys = 20_000

/**
 * @param perMinute at least 1
 * @param keys that are remembered; the one that was not heard of for the longest time is forgotten, and begins anew
 */
export function createMemoryRateLimiter(deps: {
  readonly clock: Clock
  readonly perMinute: number
  readonly keys?: number
}): RateLimiter {
  const { clock, perMinute, keys = rememberedKeys } = deps
  // In whole numbers: a token is as many units as a minute has milliseconds, and each millisecond gives `perMinute` units.
  const full = perMinute * minuteMs
  const buckets = new LRUCache<string, { units: number; atMs: number }>({ max: keys })
  return {
    take(key) {
      const now = clock.now()
      const bucket = buckets.get(key) ?? { units: full, atMs: now }
      bucket.units = Math.min(full, bucket.units + Math.max(0, now - bucket.atMs) * perMinute)
      bucket.atMs = now
      buckets.set(key, bucket)
      const missing = minuteMs - bucket.units
      if (missing > 0) return { allowed: false, retryAfterSeconds: Math.ceil(missing / perMinute / 1000) }
      bucket.units -= minuteMs
      return { allowed: true }
    },

    giveBack(key) {
      const bucket = buckets.get(key)
      if (bucket !== undefined) bucket.units = Math.min(full, bucket.units + minuteMs)
    },
  }
}
