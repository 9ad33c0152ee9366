// Limits by client, under a clock that the test moves.

import { describe, expect, test } from 'vitest'
import { clientKey, createRequestLimit } from '../../shared/http/request-limit.ts'
import { createMemoryRateLimiter } from '../../shared/http/memory-rate-limiter.ts'
import { createFakeClock } from '../support/fake-clock.ts'

const clientAt = (address: string | undefined) => ({ address, scheme: 'http', host: 'a' }) as const

describe('token buckets', () => {
  test('give a minute’s worth at once, then say when there is more, and go on at that rate', () => {
    const clock = createFakeClock()
    const limiter = createMemoryRateLimiter({ clock, perMinute: 3 })
    const take = () => limiter.take('a')
    expect([take(), take(), take()].every(({ allowed }) => allowed)).toBe(true)
    expect(take()).toEqual({ allowed: false, retryAfterSeconds: 20 })
    clock.advance(19_000)
    expect(take()).toEqual({ allowed: false, retryAfterSeconds: 1 })
    clock.advance(1000)
    expect(take()).toEqual({ allowed: true })
    expect(take()).toEqual({ allowed: false, retryAfterSeconds: 20 })
  })

  test('a refused attempt costs nothing', () => {
    const clock = createFakeClock()
    const limiter = createMemoryRateLimiter({ clock, perMinute: 1 })
    limiter.take('a')
    for (let at = 0; at < 59; at += 1) {
      clock.advance(1000)
      expect(limiter.take('a').allowed).toBe(false)
    }
    clock.advance(1000)
    expect(limiter.take('a').allowed).toBe(true)
  })

  test('silence saves up no more than a minute’s worth, and a clock that goes back takes nothing away', () => {
    const clock = createFakeClock()
    const limiter = createMemoryRateLimiter({ clock, perMinute: 2 })
    limiter.take('a')
    clock.advance(3_600_000)
    const later = createMemoryRateLimiter({ clock: { ...clock, now: () => 0 }, perMinute: 1 })
    expect([1, 2, 3].map(() => limiter.take('a').allowed)).toEqual([true, true, false])
    expect(later.take('a').allowed).toBe(true)
    let now = 1_000_000
    const back = createMemoryRateLimiter({ clock: { ...clock, now: () => now }, perMinute: 2 })
    back.take('a')
    now = 0
    expect([back.take('a').allowed, back.take('a').allowed]).toEqual([true, false])
  })

  test('each key has its own, and no more keys are remembered than may be', () => {
    const limiter = createMemoryRateLimiter({ clock: createFakeClock(), perMinute: 1, keys: 2 })
    const take = (key: string) => limiter.take(key).allowed
    expect(['a', 'b', 'a', 'b'].map(take)).toEqual([true, true, false, false])
    // The third makes the first forgotten.
    expect(['c', 'b', 'a'].map(take)).toEqual([true, false, true])
  })
})

describe('a limit of requests', () => {
  test('is a 429 that says when to come back', () => {
    const limit = createRequestLimit(2, createFakeClock())
    expect([limit(clientAt('192.0.2.7')), limit(clientAt('192.0.2.7'))]).toEqual([undefined, undefined])
    expect(limit(clientAt('192.0.2.7'))).toMatchObject({
      code: 'TOOMANYREQUESTS',
      status: 429,
      headers: { 'Retry-After': '30' },
    })
    expect(limit(clientAt('192.0.2.8'))).toBeUndefined()
  })

  test('counts this machine too where it is set, and does not where it is not', () => {
    const set = createRequestLimit(1, createFakeClock())
    expect([set(clientAt('127.0.0.1')), set(clientAt('127.0.0.1'))]).toEqual([undefined, expect.anything()])
    const unset = createRequestLimit(undefined, createFakeClock())
    const refused = (address: string) =>
      Array.from({ length: 7000 }, () => unset(clientAt(address))).filter((each) => each !== undefined).length
    expect([refused('127.0.0.1'), refused('::1'), refused('192.0.2.7')]).toEqual([0, 0, 1000])
  })

  test('of 0 is none, and who is not known is not counted', () => {
    const none = createRequestLimit(0, createFakeClock())
    const one = createRequestLimit(1, createFakeClock())
    for (let at = 0; at < 10_000; at += 1)
      expect([none(clientAt('192.0.2.7')), one(clientAt(undefined))]).toEqual([undefined, undefined])
  })

  test('takes all of a /64 for one client', () => {
    expect(clientKey(clientAt('2001:db8::1'))).toBe(clientKey(clientAt('2001:db8::ffff:1')))
    expect(clientKey(clientAt('2001:db8::1'))).not.toBe(clientKey(clientAt('2001:db8:0:1::1')))
    expect(clientKey(clientAt('192.0.2.7'))).not.toBe(clientKey(clientAt('192.0.2.8')))
  })
})
