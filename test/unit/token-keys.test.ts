// The keys of tokens as an origin follows them, while another origin changes them, and while they cannot be read.

import { expect, test } from 'vitest'
import { createBucketRecords } from '../../origin/accounts/bucket-records.ts'
import type { Records } from '../../origin/accounts/records.ts'
import { openTokenKeys, rotateTokenKey } from '../../origin/accounts/token-keys.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { createMemoryBucket } from '../support/bucket/memory-bucket.ts'

const wait = new AbortController()

async function world() {
  const records = await createBucketRecords(createMemoryBucket(), 'a-secret-of-all-origins-of-the-test')
  const state: { reads: number; answer: 'given' | 'error' | 'never' } = { reads: 0, answer: 'given' }
  const followed: Records = {
    ...records,
    async read(...args) {
      state.reads += 1
      if (state.answer === 'error') throw new Error('the bucket is in error')
      return state.answer === 'never' ? new Promise(() => {}) : records.read(...args)
    },
  }
  const clock = createFakeClock()
  const keys = await openTokenKeys(followed, clock, wait)
  state.reads = 0
  const rotate = (isLost = false) => rotateTokenKey(records, clock, isLost, async () => {}, wait)
  return { keys, clock, rotate, state, records }
}

test('who starts meanwhile has the same key', async () => {
  const { keys, clock, records } = await world()
  const others = await openTokenKeys(records, clock, wait)
  expect((await others.current()).id).toBe((await keys.current()).id)
})

test('a change at another origin counts within a second, and costs one read a second', async () => {
  const { keys, clock, rotate, state } = await world()
  const before = (await keys.current()).id
  const after = await rotate()
  clock.advance(999)
  expect((await keys.current()).id).toBe(before)
  expect(state.reads).toBe(0)
  clock.advance(1)
  expect(await Promise.all(Array.from({ length: 50 }, async () => (await keys.current()).id))).toEqual(
    Array.from({ length: 50 }, () => after),
  )
  expect(await keys.find(before, wait)).toBeDefined()
  expect(state.reads).toBe(1)
  const last = await rotate(true)
  clock.advance(1000)
  expect([await keys.find(before, wait), await keys.find(after, wait)]).toEqual([undefined, undefined])
  expect((await keys.published()).map(({ kid }) => kid)).toEqual([last])
})

test('a clock that was set back makes no key good for longer', async () => {
  const { keys, clock, rotate } = await world()
  const before = (await keys.current()).id
  await rotate(true)
  clock.advance(-3600_000)
  expect(await keys.find(before, wait)).toBeUndefined()
})

test('while the bucket is in error the last known keys go on, and what changed counts when it is back', async () => {
  const { keys, clock, rotate, state } = await world()
  const before = (await keys.current()).id
  const after = await rotate()
  state.answer = 'error'
  clock.advance(1000)
  expect((await keys.current()).id).toBe(before)
  state.answer = 'given'
  clock.advance(10_000)
  expect((await keys.current()).id).toBe(after)
})

test('while the bucket does not answer one look is waited for, and then none for ten seconds', async () => {
  const { keys, clock, rotate, state } = await world()
  const before = (await keys.current()).id
  const after = await rotate()
  state.answer = 'never'
  clock.advance(1000)
  const waiting = keys.current()
  await clock.untilArmed()
  clock.advance(2000)
  expect((await waiting).id).toBe(before)
  clock.advance(1000)
  expect((await keys.current()).id).toBe(before)
  expect(state.reads).toBe(2)
  state.answer = 'given'
  // The look that was under way ends first.
  await expect
    .poll(async () => {
      clock.advance(10_000)
      return (await keys.current()).id
    })
    .toBe(after)
})

test('a record that is gone or damaged ends nothing', async () => {
  const { keys, clock, records } = await world()
  const before = (await keys.current()).id
  await records.replace('token-key.json', 'sesame', wait)
  clock.advance(1000)
  expect((await keys.current()).id).toBe(before)
  await records.remove('token-key.json', wait)
  clock.advance(10_000)
  expect((await keys.current()).id).toBe(before)
})
