// So many at once, in the order they came.

import { expect, test } from 'vitest'
import { createSlots } from '../../shared/concurrency/slots.ts'

const { signal } = new AbortController()

/** Work that ends when it is told to. */
function work(name: string, begun: string[]) {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const start = () => {
    begun.push(name)
    return promise
  }
  return { start, end: () => resolve(name), fail: () => reject(new Error(name)) }
}

test('work waits while all slots are taken, and goes on as one is free, also of work that failed', async () => {
  const begun: string[] = []
  const slots = createSlots(2)
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => work(name, begun)) as [Job, Job, Job, Job]
  const results = [a, b, c, d].map(({ start }) => slots.run(signal, start))
  const failed = expect(results[1]).rejects.toThrow('b')
  await Promise.resolve()
  expect(begun).toEqual(['a', 'b'])
  b.fail()
  await failed
  await expect.poll(() => begun).toEqual(['a', 'b', 'c'])
  a.end()
  c.end()
  d.end()
  expect(await Promise.all([results[0], results[2], results[3]])).toEqual(['a', 'c', 'd'])
})

test('who gives up waiting rejects with the reason, and takes no slot', async () => {
  const begun: string[] = []
  const slots = createSlots(1)
  const caller = new AbortController()
  const [a, b, c] = ['a', 'b', 'c'].map((name) => work(name, begun)) as [Job, Job, Job]
  const first = slots.run(signal, a.start)
  const second = expect(slots.run(caller.signal, b.start)).rejects.toBe('enough')
  const third = slots.run(signal, c.start)
  caller.abort('enough')
  await second
  a.end()
  c.end()
  expect(await Promise.all([first, third])).toEqual(['a', 'c'])
  expect(begun).toEqual(['a', 'c'])
})

type Job = ReturnType<typeof work>
