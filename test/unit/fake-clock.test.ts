// The clock that other tests rely on.

import { expect, test } from 'vitest'
import { createFakeClock } from '../support/fake-clock.ts'

test('time stands still until it is moved', () => {
  const clock = createFakeClock(1000)
  expect(clock.now()).toBe(1000)
  clock.advance(5)
  expect(clock.now()).toBe(1005)
})

test('timers run in the order they fall due, each at its own time, also those that timers set', () => {
  const clock = createFakeClock(0)
  const ran: string[] = []
  const note = (name: string) => () => void ran.push(`${name} at ${clock.now()}`)
  clock.after(20, note('second'))
  clock.after(10, () => {
    note('first')()
    clock.after(5, note('set by the first'))
    clock.after(100, note('too late'))
  })
  clock.after(20, note('third'))
  clock.advance(50)
  expect(ran).toEqual(['first at 10', 'set by the first at 15', 'second at 20', 'third at 20'])
  expect([clock.now(), clock.pending]).toEqual([50, 1])
})

test('a cancelled timer does not run', () => {
  const clock = createFakeClock()
  let ran = false
  const cancel = clock.after(10, () => {
    ran = true
  })
  cancel()
  clock.advance(10)
  expect(ran).toBe(false)
})

test('untilArmed waits for a timer, and does not where there is one', async () => {
  const clock = createFakeClock()
  const armed = clock.untilArmed().then(() => clock.pending)
  clock.after(10, () => {})
  expect(await armed).toBe(1)
  await clock.untilArmed()
})
