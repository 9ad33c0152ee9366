// What every place for accounts does. Adapters run it in records.test.ts and s3.test.ts.

import { describe, expect, test } from 'vitest'
import type { Records } from '../../origin/accounts/records.ts'

const wait = { signal: new AbortController().signal }

/** @param make opens an empty place; what it returns opens the same place again, as another process does */
export function recordsContract(adapter: string, make: () => Promise<() => Promise<Records>>): void {
  describe(`a place for accounts: ${adapter}`, () => {
    test('what was created is there, also for others; created again it stays', async () => {
      const open = await make()
      const [records, others] = [await open(), await open()]
      expect(await records.read('some-key', wait)).toBeUndefined()
      expect(await records.create('some-key', 'first ü\n', wait)).toBe(true)
      expect(await others.create('some-key', 'second', wait)).toBe(false)
      for (const each of [records, others]) expect(await each.read('some-key', wait)).toBe('first ü\n')
    })

    test('of many that create one record at once one does, and all read its text', async () => {
      const open = await make()
      const texts = Array.from({ length: 12 }, (_, at) => `process ${at}`)
      const created = await Promise.all(
        texts.map(async (text) => {
          const records = await open()
          return {
            made: await records.create('folder/raced', text, wait),
            read: await records.read('folder/raced', wait),
          }
        }),
      )
      const winners = texts.filter((_, at) => created[at]?.made)
      expect(winners).toHaveLength(1)
      expect(new Set(created.map(({ read }) => read))).toEqual(new Set(winners))
    })

    test('what is replaced has the new text, whether it was there or not', async () => {
      const records = await (await make())()
      for (const text of ['longer at first', '', 'later']) {
        await records.replace('folder/name.used', text, wait)
        expect(await records.read('folder/name.used', wait)).toBe(text)
      }
    })

    test('what was removed is gone, and was there once', async () => {
      const records = await (await make())()
      await records.create('folder/a.json', 'a', wait)
      await records.create('folder/b.json', 'b', wait)
      expect(await records.remove('folder/a.json', wait)).toBe(true)
      expect(await records.remove('folder/a.json', wait)).toBe(false)
      expect([await records.read('folder/a.json', wait), await records.read('folder/b.json', wait)]).toEqual([
        undefined,
        'b',
      ])
      expect(await records.create('folder/a.json', 'again', wait)).toBe(true)
    })

    test('a folder names what is directly in it', async () => {
      const records = await (await make())()
      expect(await records.names('tokens', wait)).toEqual([])
      for (const name of ['tokens/one.json', 'tokens/two.used', 'tokens/deeper/three', 'tokens-key', 'key'])
        await records.create(name, name, wait)
      expect((await records.names('tokens', wait)).toSorted()).toEqual(['one.json', 'two.used'])
    })

    test('where a record is can be said, and says which', async () => {
      const records = await (await make())()
      expect(records.where('tokens/one.json')).toContain('accounts/tokens/one.json')
    })

    test('who does not wait any more is told so, and changes nothing', async () => {
      const records = await (await make())()
      await records.create('there', 'text', wait)
      const gone = { signal: AbortSignal.abort(new Error('left')) }
      for (const call of [
        () => records.read('there', gone),
        () => records.create('new', 'text', gone),
        () => records.replace('there', 'other', gone),
        () => records.remove('there', gone),
        () => records.names('tokens', gone),
      ])
        await expect(call()).rejects.toThrow('left')
      expect([await records.read('there', wait), await records.read('new', wait)]).toEqual(['text', undefined])
    })
  })
}
