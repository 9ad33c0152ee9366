// The deadline of one call that waits, under a clock that stands still.

import { describe, expect, test, vi } from 'vitest'
import { deadline } from '../../shared/concurrency/deadline.ts'
import { createFakeClock } from '../support/fake-clock.ts'

const late = new Error('too late')
const left = new Error('the client left')

function start(ms: number, parent?: AbortSignal) {
  const clock = createFakeClock()
  const reason = vi.fn(() => late)
  return { clock, reason, limit: deadline(clock, ms, parent, reason) }
}

describe('a deadline', () => {
  test('has not passed a millisecond before', () => {
    const { clock, limit, reason } = start(100)
    clock.advance(99)
    expect(limit.signal.aborted).toBe(false)
    expect(reason).not.toHaveBeenCalled()
  })

  test('aborts with its reason when it passes', () => {
    const { clock, limit } = start(100)
    clock.advance(100)
    expect(limit.signal.aborted).toBe(true)
    expect(limit.signal.reason).toBe(late)
  })

  test('tells its listeners once', () => {
    const { clock, limit } = start(100)
    const heard = vi.fn()
    limit.signal.addEventListener('abort', heard)
    clock.advance(1000)
    expect(heard).toHaveBeenCalledTimes(1)
  })

  test('that is cleared never passes, and leaves no timer', () => {
    const { clock, limit } = start(100)
    limit.clear()
    expect(clock.pending).toBe(0)
    clock.advance(1000)
    expect(limit.signal.aborted).toBe(false)
  })

  test('that is cleared twice stays cleared', () => {
    const { clock, limit } = start(100)
    limit.clear()
    limit.clear()
    expect(clock.pending).toBe(0)
  })
})

describe('a deadline that is extended', () => {
  test('passes its whole time later', () => {
    const { clock, limit } = start(100)
    clock.advance(99)
    limit.extend()
    clock.advance(99)
    expect(limit.signal.aborted).toBe(false)
    clock.advance(1)
    expect(limit.signal.reason).toBe(late)
  })

  test('has one timer, however often', () => {
    const { clock, limit } = start(100)
    for (let times = 0; times < 10; times += 1) limit.extend()
    expect(clock.pending).toBe(1)
  })

  test('after it passed stays passed, and sets no timer', () => {
    const { clock, limit } = start(100)
    clock.advance(100)
    limit.extend()
    expect(limit.signal.aborted).toBe(true)
    expect(clock.pending).toBe(0)
  })

  test('after it was cleared stays cleared: a chunk that comes after the answer began must not end that answer', () => {
    const { clock, limit } = start(100)
    limit.clear()
    limit.extend()
    expect(clock.pending).toBe(0)
    clock.advance(1000)
    expect(limit.signal.aborted).toBe(false)
  })
})

describe('a deadline with a parent', () => {
  test('aborts with the parent’s reason, at once', () => {
    const parent = new AbortController()
    const { limit } = start(100, parent.signal)
    parent.abort(left)
    expect(limit.signal.reason).toBe(left)
  })

  test('keeps the first reason when both happen', () => {
    const parent = new AbortController()
    const first = start(100, parent.signal)
    first.clock.advance(100)
    parent.abort(left)
    expect(first.limit.signal.reason).toBe(late)

    const second = start(100, parent.signal)
    second.clock.advance(100)
    expect(second.limit.signal.reason).toBe(left)
  })

  test('that was aborted already is aborted from the beginning', () => {
    const { limit, reason } = start(100, AbortSignal.abort(left))
    expect(limit.signal.aborted).toBe(true)
    expect(limit.signal.reason).toBe(left)
    expect(reason).not.toHaveBeenCalled()
  })

  test('that was aborted already leaves no timer once it is cleared', () => {
    const { clock, limit } = start(100, AbortSignal.abort(left))
    limit.clear()
    expect(clock.pending).toBe(0)
  })

  test('does not abort the parent when it passes', () => {
    const parent = new AbortController()
    const { clock } = start(100, parent.signal)
    clock.advance(100)
    expect(parent.signal.aborted).toBe(false)
  })

  test('that is cleared no longer listens to it', () => {
    const parent = new AbortController()
    const removed = vi.spyOn(parent.signal, 'removeEventListener')
    const { limit } = start(100, parent.signal)
    limit.clear()
    parent.abort(left)
    expect(limit.signal.aborted).toBe(false)
    expect(removed).toHaveBeenCalledWith('abort', expect.any(Function))
  })
})
