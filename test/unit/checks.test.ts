// Checks that depend on each other: one fault is told once, and nothing waits for ever.

import { describe, expect, test } from 'vitest'
import { type Check, type Finding, reasonOf, runChecks } from '../../origin/doctor/check.ts'
import { networkChecks } from '../../origin/doctor/network-checks.ts'
import { unhurried } from '../../shared/concurrency/unhurried.ts'
import { collect } from '../support/collect.ts'
import { createFakeClock } from '../support/fake-clock.ts'

const clock = createFakeClock()

function check(name: string, finding: Finding | Error, rest: Partial<Check> = {}): Check {
  const run = async () => {
    if (finding instanceof Error) throw finding
    return finding
  }
  return { name, why: `why ${name}`, mend: `mend ${name}`, run, ...rest }
}

const outcomesOf = (...checks: readonly Check[]) =>
  collect(runChecks(checks, { clock, timeoutMs: 1000, wait: unhurried }))

const ok = { ok: 'well' }
const fault = { fault: 'broken' }

describe('a check', () => {
  test('that fails is told with what it means and how to mend it', async () => {
    expect(await outcomesOf(check('a', fault))).toEqual([
      { check: 'a', state: 'fault', seen: 'broken', why: 'why a', mend: 'mend a' },
    ])
  })

  test('may know better what to do', async () => {
    expect(await outcomesOf(check('a', { fault: 'broken', mend: 'do this' }))).toMatchObject([
      { why: 'why a', mend: 'do this' },
    ])
  })

  test('that throws has failed, with all that the error says', async () => {
    const error = new Error('no answer', { cause: new Error('refused\n  by host') })
    expect(await outcomesOf(check('a', error))).toMatchObject([{ state: 'fault', seen: 'no answer: refused by host' }])
  })

  test('that never ends has failed when its time is over, and the next one runs', async () => {
    const silent = check('a', ok, { run: () => new Promise<never>(() => {}) })
    const all = outcomesOf(silent, check('b', ok))
    await clock.untilArmed()
    clock.advance(1000)
    expect(await all).toMatchObject([{ state: 'fault', seen: 'no answer within 1000 ms' }, { state: 'ok' }])
  })

  test('that needs what failed is not tried, and names the fault behind it', async () => {
    const needy = check('c', new Error('was run'), { needs: ['b'] })
    expect(await outcomesOf(check('a', fault), check('b', ok, { needs: ['a'] }), needy)).toMatchObject([
      { check: 'a', state: 'fault' },
      { check: 'b', state: 'skipped', why: 'needs a' },
      { check: 'c', state: 'skipped', why: 'needs a' },
    ])
  })

  test('that fails where another fault explains it is no fault of its own, nor is what that explains', async () => {
    const b = check('b', { fault: 'broken too' }, { follows: ['a'] })
    const c = check('c', fault, { follows: ['b'] })
    expect(await outcomesOf(check('a', fault), b, c)).toMatchObject([
      { check: 'a', state: 'fault' },
      { check: 'b', state: 'skipped', why: 'fails too, which a explains: broken too' },
      { check: 'c', state: 'skipped', why: 'fails too, which a explains: broken' },
    ])
  })

  test('that succeeds in spite of such a fault is well', async () => {
    expect(await outcomesOf(check('a', fault), check('b', ok, { follows: ['a'] }))).toMatchObject([
      { state: 'fault' },
      { state: 'ok' },
    ])
  })

  test('that was skipped by itself explains nothing', async () => {
    const checks = [check('a', { skipped: 'not set' }), check('b', fault, { follows: ['a'] })]
    expect(await outcomesOf(...checks)).toMatchObject([{ state: 'skipped', why: 'not set' }, { state: 'fault' }])
  })
})

test('all of them end when somebody stops them', async () => {
  const stopped = new AbortController()
  const silent = check('a', ok, { run: () => new Promise<never>(() => {}) })
  const all = collect(runChecks([silent, check('b', ok)], { clock, timeoutMs: 1000, wait: stopped }))
  stopped.abort(new Error('stopped'))
  await expect(all).rejects.toThrow('stopped')
})

describe('plain HTTP', () => {
  const answers = async () => ({ status: 200, headers: new Headers(), bytes: new Uint8Array() })
  const tlsOf = async (url: string) => {
    const [outcome] = await outcomesOf(...networkChecks([{ name: 'edge', url, ask: answers }], clock))
    return outcome
  }

  test.each(['http://registry.example.com', 'http://192.0.2.7:8787', 'http://127.0.0.1.example.com'])(
    'at %s is a fault',
    async (url) => {
      expect(await tlsOf(url)).toMatchObject({
        check: 'tls',
        state: 'fault',
        mend: expect.stringMatching(/http\.tls_cert/) as string,
      })
    },
  )

  test.each(['http://localhost:8787', 'http://127.0.0.1:1', 'http://[::1]:8787'])('at %s is none', async (url) => {
    expect(await tlsOf(url)).toMatchObject({ check: 'tls', state: 'ok' })
  })
})

test('an error without a message is known by its code', () => {
  expect(reasonOf(Object.assign(new Error(''), { code: 'ECONNREFUSED' }))).toBe('ECONNREFUSED')
})
