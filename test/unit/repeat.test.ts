// Work that is done again and again, under a clock that the test moves.

import { expect, test } from 'vitest'
import { startRepeating } from '../../shared/concurrency/repeat.ts'
import { createFakeClock } from '../support/fake-clock.ts'

function start(first: 'now' | 'later') {
  const clock = createFakeClock()
  const runs: { readonly stopped: AbortSignal; readonly end: () => void }[] = []
  const repeating = startRepeating(clock, { everyMs: 1000, first }, (stopped) => {
    const { promise, resolve } = Promise.withResolvers<void>()
    runs.push({ stopped, end: resolve })
    return promise
  })
  return { clock, runs, repeating }
}

test.each([
  ['now', 1],
  ['later', 0],
] as const)('the first run begins %s', async (first, atOnce) => {
  const { clock, runs } = start(first)
  expect(runs).toHaveLength(atOnce)
  clock.advance(999)
  expect(runs).toHaveLength(atOnce)
  clock.advance(1)
  expect(runs).toHaveLength(1)
})

test('the next run begins after its time from the end of the one before, however long that took', async () => {
  const { clock, runs } = start('now')
  clock.advance(5000)
  expect(runs).toHaveLength(1)
  runs[0]?.end()
  await clock.untilArmed()
  clock.advance(999)
  expect(runs).toHaveLength(1)
  clock.advance(1)
  expect(runs).toHaveLength(2)
})

test('a stop is told to the run that goes on, waits for it, and nothing begins any more', async () => {
  const { clock, runs, repeating } = start('now')
  let over = false
  const stopping = repeating.stop().then(() => (over = true))
  await new Promise((done) => setImmediate(done))
  expect([runs[0]?.stopped.aborted, over]).toEqual([true, false])
  runs[0]?.end()
  await stopping
  clock.advance(5000)
  expect([runs.length, clock.pending]).toEqual([1, 0])
})
