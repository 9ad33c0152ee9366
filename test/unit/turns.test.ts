// Work with a key in common takes turns, and a turn is over when its work is.

import { expect, test } from 'vitest'
import { unhurried } from '../../shared/concurrency/unhurried.ts'
import { createTurns } from '../../shared/concurrency/turns.ts'

/** Lets everything happen that can happen now. */
const settled = () => new Promise((done) => setImmediate(done))

function recorded() {
  const turns = createTurns()
  const begun: string[] = []
  const ends = new Map<string, PromiseWithResolvers<string>>()
  return {
    begun,
    end: (name: string) => ends.get(name)?.resolve(name),
    fail: (name: string) => ends.get(name)?.reject(new Error(name)),
    take: (name: string, keys: readonly string[], signal = unhurried.signal) => {
      ends.set(name, Promise.withResolvers())
      return turns.take(keys, { signal }, () => {
        begun.push(name)
        return ends.get(name)?.promise ?? Promise.reject(new Error('unknown'))
      })
    },
  }
}

test('work with other keys does not wait', async () => {
  const { take, begun, end } = recorded()
  const both = [take('one', ['a']), take('two', ['b', 'c'])]
  await settled()
  expect(begun).toEqual(['one', 'two'])
  end('one')
  end('two')
  expect(await Promise.all(both)).toEqual(['one', 'two'])
})

test('work that shares a key waits, in order of arrival, whichever way its keys are ordered', async () => {
  const { take, begun, end } = recorded()
  const all = [take('one', ['a', 'b']), take('two', ['b', 'a']), take('three', ['a'])]
  for (const [at, name] of ['one', 'two', 'three'].entries()) {
    await settled()
    expect(begun).toHaveLength(at + 1)
    end(name)
  }
  expect(await Promise.all(all)).toEqual(begun)
})

test('work that failed is over, and only who took the turn hears of it', async () => {
  const { take, fail, end } = recorded()
  const [one, two] = [take('one', ['a']), take('two', ['a'])]
  await settled()
  fail('one')
  await expect(one).rejects.toThrow('one')
  end('two')
  expect(await two).toBe('two')
})

test('who leaves while waiting never begins, and those behind come after those before', async () => {
  const { take, begun, end } = recorded()
  const leaves = new AbortController()
  const one = take('one', ['a'])
  const two = take('two', ['a'], leaves.signal)
  const three = take('three', ['a'])
  leaves.abort(new Error('left'))
  await expect(two).rejects.toThrow('left')
  await settled()
  expect(begun).toEqual(['one'])
  end('one')
  end('three')
  expect([await one, await three, begun]).toEqual(['one', 'three', ['one', 'three']])
})

test('who leaves after it began hears at once, and the next waits for the work all the same', async () => {
  const { take, begun, end } = recorded()
  const leaves = new AbortController()
  const one = take('one', ['a'], leaves.signal)
  const two = take('two', ['a'])
  await settled()
  leaves.abort(new Error('left'))
  await expect(one).rejects.toThrow('left')
  await settled()
  expect(begun).toEqual(['one'])
  end('one')
  end('two')
  expect(await two).toBe('two')
})
