// Every pitfall that is provided against has a test whose name begins with its number, in test/pitfalls or test/workerd.

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const numbersFrom = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, at) => first + at)

/** Caches and edges; who a client is, and what it may do; lists and the order of pushes; IPFS; working together with clients. */
const provided = [
  ...numbersFrom(1, 10),
  16,
  ...numbersFrom(20, 25),
  ...numbersFrom(38, 40),
  ...numbersFrom(42, 45),
  ...numbersFrom(46, 60),
]

test('each pitfall that is provided against has its test', async () => {
  const found = new Set<number>()
  for (const folder of ['pitfalls', 'workerd'].map((name) => join(import.meta.dirname, '..', name))) {
    for (const file of await readdir(folder)) {
      const text = file.endsWith('.test.ts') ? await readFile(join(folder, file), 'utf8') : ''
      for (const [, number] of text.matchAll(/^ *test\('pitfall (\d+): /gm)) found.add(Number(number))
    }
  }
  expect(provided.filter((number) => !found.has(number))).toEqual([])
})
