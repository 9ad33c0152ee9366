// What every bucket does, whatever it is made of. Runs on Node and in workerd.

import { beforeEach, describe, expect, test } from 'vitest'
import { type Key, type KeyPrefix, parseKey } from '../../shared/layout/keys.ts'
import type { Bucket, BucketReader, ListEntry } from '../../shared/ports/bucket.ts'

export interface BucketUnderTest {
  readonly bucket: BucketReader
  /** Puts an object there without the adapter under test. */
  put(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>
}

const wait = { signal: new AbortController().signal }
const bytesOf = (text: string) => new TextEncoder().encode(text)

function key(text: string): Key {
  const parsed = parseKey(text)
  if (parsed === undefined) throw new Error(`${text} is no key`)
  return parsed
}

async function collect<Entry>(entries: AsyncIterable<Entry>): Promise<Entry[]> {
  const all: Entry[] = []
  for await (const entry of entries) all.push(entry)
  return all
}

async function textOf(body: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  return new Response(body).text()
}

/** @param make a fresh, empty bucket each time it is called, or one that shares nothing with keys of other tests */
export function bucketReaderContract(adapter: string, make: () => Promise<BucketUnderTest>): void {
  describe(`a bucket to read: ${adapter}`, () => {
    let under: BucketUnderTest

    beforeEach(async () => {
      under = await make()
    })

    test('an object that is not there is undefined, however deep its key', async () => {
      for (const missing of ['none', 'none/at/all']) {
        expect(await under.bucket.head(key(missing), wait)).toBeUndefined()
        expect(await under.bucket.read(key(missing), 10, wait)).toBeUndefined()
        expect(await under.bucket.open(key(missing), undefined, wait)).toBeUndefined()
      }
    })

    test('what lies under an object, and a folder itself, are no objects', async () => {
      await under.put('a/b', bytesOf('object'))
      expect(await under.bucket.head(key('a'), wait)).toBeUndefined()
      expect(await under.bucket.read(key('a/b/c'), 10, wait)).toBeUndefined()
    })

    test('an object has its size and its bytes', async () => {
      await under.put('a/b', bytesOf('content'))
      expect(await under.bucket.head(key('a/b'), wait)).toBe(7)
      expect(new TextDecoder().decode(await under.bucket.read(key('a/b'), 7, wait))).toBe('content')
      const opened = await under.bucket.open(key('a/b'), undefined, wait)
      expect(opened?.sizeBytes).toBe(7)
      expect(await textOf(opened?.body ?? new ReadableStream())).toBe('content')
    })

    test('an empty object is there', async () => {
      await under.put('empty', new Uint8Array())
      expect(await under.bucket.head(key('empty'), wait)).toBe(0)
      expect((await under.bucket.read(key('empty'), 0, wait))?.byteLength).toBe(0)
      const opened = await under.bucket.open(key('empty'), undefined, wait)
      expect(opened?.sizeBytes).toBe(0)
      expect(await textOf(opened?.body ?? new ReadableStream())).toBe('')
    })

    test.each([
      [{ start: 0, end: 0 }, '0'],
      [{ start: 2, end: 5 }, '2345'],
      [{ start: 9, end: 9 }, '9'],
      [{ start: 0, end: 9 }, '0123456789'],
    ])('a range %o is those bytes, and the size is that of the whole', async (range, expected) => {
      await under.put('digits', bytesOf('0123456789'))
      const opened = await under.bucket.open(key('digits'), range, wait)
      expect(opened?.sizeBytes).toBe(10)
      expect(await textOf(opened?.body ?? new ReadableStream())).toBe(expected)
    })

    test('a small object that is larger than it may be is a fault, not a part of it', async () => {
      await under.put('large', bytesOf('0123456789'))
      await expect(under.bucket.read(key('large'), 9, wait)).rejects.toThrow(
        expect.objectContaining({ name: 'UpstreamError' }),
      )
    })

    test('a small object that was replaced is read as it is now', async () => {
      for (const text of ['first', 'first', 'second', 'first', 'x'.repeat(300), 'first']) {
        await under.put('replaced', bytesOf(text))
        const bytes = await under.bucket.read(key('replaced'), 1000, wait)
        expect(new TextDecoder().decode(bytes)).toBe(text)
        bytes?.fill(0)
        expect(new TextDecoder().decode(await under.bucket.read(key('replaced'), 1000, wait))).toBe(text)
      }
      await expect(under.bucket.read(key('replaced'), 4, wait)).rejects.toThrow(
        expect.objectContaining({ name: 'UpstreamError' }),
      )
    })

    test('the limit holds to the byte', async () => {
      await under.put('exact', bytesOf('0123456789'))
      expect((await under.bucket.read(key('exact'), 10, wait))?.byteLength).toBe(10)
    })

    test('an object of several chunks comes whole, and can be left in the middle', async () => {
      const large = new Uint8Array(3 * 1024 * 1024 + 7).fill(65)
      await under.put('chunks', large)
      const whole = await under.bucket.open(key('chunks'), undefined, wait)
      expect((await new Response(whole?.body).arrayBuffer()).byteLength).toBe(large.byteLength)
      const left = await under.bucket.open(key('chunks'), undefined, wait)
      const reader = left?.body.getReader()
      expect((await reader?.read())?.done).toBe(false)
      await reader?.cancel()
    })

    test('a listing has objects and folders of one level, in the bytewise order of paths', async () => {
      for (const path of ['p/1.0/x', 'p/1.0-alpine/x', 'p/1.0', 'p/a/b/c', 'p/a/b/d', 'p/B', 'px/other', 'o']) {
        // Not every bucket can have `p/1.0` beside `p/1.0/x`, and no key of ours is a folder of another.
        if (path !== 'p/1.0') await under.put(path, bytesOf('x'))
      }
      expect(await collect(under.bucket.list('p/' as KeyPrefix, '', wait))).toEqual<ListEntry[]>([
        { path: 'p/1.0-alpine/', kind: 'folder' },
        { path: 'p/1.0/', kind: 'folder' },
        { path: 'p/B', kind: 'object' },
        { path: 'p/a/', kind: 'folder' },
      ])
    })

    test('a listing begins after a path, which need not exist', async () => {
      for (const tag of ['a', 'b', 'c', 'c1']) await under.put(`tags/${tag}/link`, bytesOf('x'))
      const pathsAfter = async (after: string) =>
        (await collect(under.bucket.list('tags/' as KeyPrefix, after, wait))).map(({ path }) => path)
      expect(await pathsAfter('tags/b')).toEqual(['tags/b/', 'tags/c/', 'tags/c1/'])
      expect(await pathsAfter('tags/b/')).toEqual(['tags/c/', 'tags/c1/'])
      expect(await pathsAfter('tags/bb')).toEqual(['tags/c/', 'tags/c1/'])
      expect(await pathsAfter('tags/d')).toEqual([])
    })

    test('a listing of nothing is empty', async () => {
      expect(await collect(under.bucket.list('nothing/here/' as KeyPrefix, '', wait))).toEqual([])
    })

    test('a listing of more than one page of S3 is complete and in order', async () => {
      const paths = Array.from({ length: 1203 }, (_, at) => `many/${String(at).padStart(5, '0')}`)
      await Promise.all(paths.map((path) => under.put(path, bytesOf('x'))))
      const listed = await collect(under.bucket.list('many/' as KeyPrefix, '', wait))
      expect(listed.map(({ path }) => path)).toEqual(paths)
    })

    test('a call whose signal is aborted rejects with its reason', async () => {
      await under.put('a/b', bytesOf('content'))
      const gone = { signal: AbortSignal.abort(new Error('the client left')) }
      await expect(under.bucket.head(key('a/b'), gone)).rejects.toThrow('the client left')
      await expect(under.bucket.read(key('a/b'), 10, gone)).rejects.toThrow('the client left')
      await expect(under.bucket.open(key('a/b'), undefined, gone)).rejects.toThrow('the client left')
      await expect(collect(under.bucket.list('a/' as KeyPrefix, '', gone))).rejects.toThrow('the client left')
    })
  })
}

export function bucketWriterContract(adapter: string, make: () => Promise<Bucket>): void {
  describe(`a bucket to write: ${adapter}`, () => {
    test('what was written is read, and written again is replaced', async () => {
      const bucket = await make()
      for (const text of ['first', 'second, longer', '']) {
        await bucket.write(key('some/deep/key'), bytesOf(text), wait)
        expect(new TextDecoder().decode(await bucket.read(key('some/deep/key'), 100, wait))).toBe(text)
      }
    })

    test('readers of an object that is written over and over see a whole one each time', async () => {
      const bucket = await make()
      const versions = ['a', 'b'].map((letter) => bytesOf(letter.repeat(100_000)))
      const state = { writing: true }
      const writer = (async () => {
        for (let round = 0; round < 40; round++)
          await bucket.write(key('contended'), versions[round % 2] ?? bytesOf(''), wait)
        state.writing = false
      })()
      const seen = new Set<string>()
      while (state.writing) {
        const bytes = await bucket.read(key('contended'), 100_000, wait)
        if (bytes !== undefined) seen.add(`${bytes.byteLength} ${new Set(bytes).size}`)
      }
      await writer
      expect([...seen]).toEqual(['100000 1'])
    })

    test('many writers of one key leave one of their objects', async () => {
      const bucket = await make()
      const texts = Array.from({ length: 20 }, (_, at) => `writer ${at}`)
      await Promise.all(texts.map((text) => bucket.write(key('raced/link'), bytesOf(text), wait)))
      expect(texts).toContain(new TextDecoder().decode(await bucket.read(key('raced/link'), 100, wait)))
    })

    test('what is created is there, and what is there is not created again, and stays', async () => {
      const bucket = await make()
      const read = async () => new TextDecoder().decode(await bucket.read(key('made/once/link'), 100, wait))
      expect(await bucket.create(key('made/once/link'), bytesOf('first'), wait)).toBe(true)
      expect(await bucket.create(key('made/once/link'), bytesOf('second'), wait)).toBe(false)
      expect(await read()).toBe('first')
      await bucket.write(key('made/once/link'), bytesOf('written'), wait)
      expect(await bucket.create(key('made/once/link'), bytesOf('third'), wait)).toBe(false)
      expect(await read()).toBe('written')
      await bucket.remove(key('made/once/link'), wait)
      expect(await bucket.create(key('made/once/link'), bytesOf('again'), wait)).toBe(true)
      expect(await read()).toBe('again')
    })

    test('of many that create one key one does, and its object is there', async () => {
      const bucket = await make()
      const texts = Array.from({ length: 20 }, (_, at) => `writer ${at}`)
      const created = await Promise.all(texts.map((text) => bucket.create(key('raced/new/link'), bytesOf(text), wait)))
      const winners = texts.filter((_, at) => created[at])
      expect(winners).toHaveLength(1)
      expect(new TextDecoder().decode(await bucket.read(key('raced/new/link'), 100, wait))).toBe(winners[0])
    })

    test('who waits no longer creates nothing', async () => {
      const bucket = await make()
      const gone = { signal: AbortSignal.abort(new Error('the client left')) }
      await expect(bucket.create(key('left'), bytesOf('x'), gone)).rejects.toThrow('the client left')
      expect(await bucket.head(key('left'), wait)).toBeUndefined()
    })

    test('nothing of the writing shows in a listing', async () => {
      const bucket = await make()
      await bucket.write(key('a'), bytesOf('x'), wait)
      await bucket.create(key('a'), bytesOf('y'), wait)
      expect(await collect(bucket.list('' as KeyPrefix, '', wait))).toEqual([{ path: 'a', kind: 'object' }])
    })
  })
}
