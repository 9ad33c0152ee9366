// What every staging of uploads does.

import { randomBytes } from 'node:crypto'
import { beforeEach, describe, expect, test } from 'vitest'
import { nodeHasher } from '../../origin/upload/node-hasher.ts'
import { startBlobHash } from '../../shared/ipfs/blob-hash.ts'
import { blobKey } from '../../shared/layout/keys.ts'
import type { BucketReader } from '../../shared/ports/bucket.ts'
import type { Uploads } from '../../shared/ports/uploads.ts'
import { digestFrom } from '../../shared/protocol/digest.ts'
import { hashUpload } from '../../shared/registry/hash-upload.ts'
import { eventually } from '../support/stack.ts'

const wait = { signal: new AbortController().signal }
const someKey = blobKey(digestFrom('sha256', 'ab'.repeat(32)))

function streamOf(...parts: string[]): ReadableStream<Uint8Array> {
  return ReadableStream.from(parts.map((part) => new TextEncoder().encode(part)))
}

/** Gives its parts, then breaks. */
async function* breaking(...parts: string[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield new TextEncoder().encode(part)
  throw new Error('the connection broke')
}

async function idsOf(list: AsyncIterable<string>): Promise<string[]> {
  const ids: string[] = []
  for await (const id of list) ids.push(id)
  return ids
}

async function textOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  return new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).text()
}

export interface UploadsUnderTest {
  readonly uploads: Uploads
  readonly bucket: BucketReader
  /** Another instance over the same storage, as after a restart; undefined where the storage does not outlive it. */
  readonly restarted: (() => Uploads) | undefined
}

/** @param timeStepMs in which the storage notes times, where they are longer than some milliseconds */
export function uploadsContract(adapter: string, make: () => Promise<UploadsUnderTest>, timeStepMs = 0): void {
  describe(`staging of uploads: ${adapter}`, () => {
    let under: UploadsUnderTest
    let uploads: Uploads

    beforeEach(async () => {
      under = await make()
      uploads = under.uploads
    })

    test('an upload begins empty, and one that was not begun is undefined', async () => {
      await uploads.create('u1', wait)
      expect(await uploads.size('u1', wait)).toBe(0)
      expect(await uploads.size('u2', wait)).toBeUndefined()
    })

    test('streams are added one behind the other, and each stored byte is shown once and in order', async () => {
      await uploads.create('u1', wait)
      const shown: string[] = []
      const onStored = (chunk: Uint8Array) => shown.push(new TextDecoder().decode(chunk))
      expect(await uploads.append('u1', 0, streamOf('one ', 'two '), onStored, wait)).toBe(8)
      expect(await uploads.append('u1', 8, streamOf(), onStored, wait)).toBe(8)
      expect(await uploads.append('u1', 8, streamOf('three'), onStored, wait)).toBe(13)
      expect(await uploads.size('u1', wait)).toBe(13)
      expect(await textOf(await uploads.read('u1', undefined, wait))).toBe('one two three')
      expect(await textOf(await uploads.read('u1', { start: 4, end: 6 }, wait))).toBe('two')
      expect(shown.join('')).toBe('one two three')
    })

    test('a stream of many tiny chunks and one of large ones are stored whole', async () => {
      await uploads.create('u1', wait)
      const tiny = Array.from({ length: 5000 }, (_, at) => String(at % 10))
      const large = ['x'.repeat(3_000_000), 'y'.repeat(1_500_001)]
      let seen = 0
      const count = (chunk: Uint8Array) => (seen += chunk.byteLength)
      const size = await uploads.append('u1', 0, streamOf(...tiny), count, wait)
      expect(await uploads.append('u1', size, streamOf(...large), count, wait)).toBe(4_505_001)
      expect(seen).toBe(4_505_001)
      expect(await textOf(await uploads.read('u1', undefined, wait))).toBe(tiny.join('') + large.join(''))
    })

    test.each([0, 1_000_000, 5_000_003])('%i bytes are hashed while they are added', async (sizeBytes) => {
      await uploads.create('u1', wait)
      const bytes = new Uint8Array(randomBytes(sizeBytes))
      const hash = hashUpload({ uploads, hasher: nodeHasher }, 'u1', 'sha256', true)
      const [there, halfBytes] = [startBlobHash(nodeHasher, 'sha256', true), sizeBytes >> 1]
      for (const part of [bytes.subarray(0, halfBytes), bytes.subarray(halfBytes)]) {
        const before = (await uploads.size('u1', wait)) ?? 0
        const body = ReadableStream.from(part.byteLength === 0 ? [] : [part])
        await uploads.append('u1', before, body, (chunk) => hash.update(chunk), wait)
        there.update(part)
        expect(await hash.digest()).toBe(await there.digest())
      }
      expect(await hash.leaves()).toEqual(await there.leaves())
      hash.end()
    })

    test('what arrived before a stream broke stays, and the error goes on', async () => {
      await uploads.create('u1', wait)
      const broken = ReadableStream.from(breaking('stays ', 'here'))
      let shown = 0
      await expect(uploads.append('u1', 0, broken, (chunk) => (shown += chunk.byteLength), wait)).rejects.toThrow(
        'broke',
      )
      expect(await uploads.size('u1', wait)).toBe(10)
      expect(shown).toBe(10)
      expect(await textOf(await uploads.read('u1', undefined, wait))).toBe('stays here')
    })

    test('what arrived before the signal was aborted stays, and the append ends although the stream hangs', async () => {
      await uploads.create('u1', wait)
      const controller = new AbortController()
      let given = false
      const hanging = new ReadableStream<Uint8Array>(
        {
          async pull(stream) {
            if (given) {
              controller.abort(new Error('the client left'))
              return new Promise(() => {})
            }
            given = true
            stream.enqueue(new TextEncoder().encode('arrived'))
          },
        },
        { highWaterMark: 0 },
      )
      await expect(uploads.append('u1', 0, hanging, () => {}, { signal: controller.signal })).rejects.toThrow('left')
      expect(await uploads.size('u1', wait)).toBe(7)
    })

    test('truncating takes back the end', async () => {
      await uploads.create('u1', wait)
      await uploads.append('u1', 0, streamOf('0123456789'), () => {}, wait)
      await uploads.truncate('u1', 4, wait)
      expect(await uploads.size('u1', wait)).toBe(4)
      await uploads.append('u1', 4, streamOf('abc'), () => {}, wait)
      expect(await textOf(await uploads.read('u1', undefined, wait))).toBe('0123abc')
    })

    test.each(['some content', ''])('publishing makes %o the object, and ends the upload', async (content) => {
      await uploads.create('u1', wait)
      await uploads.append('u1', 0, streamOf(content), () => {}, wait)
      expect(await under.bucket.head(someKey, wait)).toBeUndefined()
      await uploads.publish('u1', someKey, content.length, wait)
      expect(new TextDecoder().decode(await under.bucket.read(someKey, 100, wait))).toBe(content)
      expect(await uploads.size('u1', wait)).toBeUndefined()
    })

    test('what another process staged meanwhile is not published', async () => {
      await uploads.create('u1', wait)
      await uploads.append('u1', 0, streamOf('checked'), () => {}, wait)
      const other = under.restarted?.() ?? uploads
      await other.append('u1', 7, streamOf(' and not'), () => {}, wait)
      await uploads.publish('u1', someKey, 7, wait).catch((error: unknown) => {
        expect(String(error)).toContain('another request went on')
      })
      expect([undefined, 7]).toContain(await under.bucket.head(someKey, wait))
    })

    test('two uploads of one object at once are both published', async () => {
      for (const id of ['u1', 'u2']) {
        await uploads.create(id, wait)
        await uploads.append(id, 0, streamOf('the same'), () => {}, wait)
      }
      await Promise.all(['u1', 'u2'].map((id) => uploads.publish(id, someKey, 8, wait)))
      expect(new TextDecoder().decode(await under.bucket.read(someKey, 100, wait))).toBe('the same')
    })

    test('a removed upload is gone', async () => {
      await uploads.create('u1', wait)
      await uploads.append('u1', 0, streamOf('bytes'), () => {}, wait)
      await uploads.remove('u1', wait)
      expect(await uploads.size('u1', wait)).toBeUndefined()
    })

    test('all uploads are listed, and none that ended', async () => {
      const listed = async () => new Set(await idsOf(uploads.list(wait)))
      expect(await listed()).toEqual(new Set())
      for (const id of ['u1', 'u2', 'u3', 'u4']) await uploads.create(id, wait)
      await uploads.append('u1', 0, streamOf('bytes'), () => {}, wait)
      await uploads.remove('u2', wait)
      await uploads.publish('u3', someKey, 0, wait)
      expect(await listed()).toEqual(new Set(['u1', 'u4']))
    })

    test('uploads may be removed while they are listed', async () => {
      const ids = Array.from({ length: 300 }, (_, at) => `u${at}`)
      for (const id of ids) await uploads.create(id, wait)
      const seen: string[] = []
      for await (const id of uploads.list(wait)) {
        seen.push(id)
        await uploads.remove(id, wait)
      }
      expect(new Set(seen)).toEqual(new Set(ids))
      expect(await idsOf(uploads.list(wait))).toEqual([])
    })

    test('a listing that is left, or that nobody waits for, ends', async () => {
      for (const id of ['u1', 'u2', 'u3']) await uploads.create(id, wait)
      for await (const id of uploads.list(wait)) {
        expect(id).toMatch(/^u[123]$/)
        break
      }
      const aborted = { signal: AbortSignal.abort(new Error('left')) }
      await expect(idsOf(uploads.list(aborted))).rejects.toThrow('left')
    })

    test('making an upload, and adding bytes, is a touch; looking at it is none', async () => {
      expect(await uploads.touchedMs('u1', wait)).toBeUndefined()
      const before = Date.now()
      await uploads.create('u1', wait)
      const made = (await uploads.touchedMs('u1', wait)) ?? 0
      // Storage notes times in steps.
      expect(made).toBeGreaterThan(before - 100 - timeStepMs)
      expect(made).toBeLessThanOrEqual(Date.now())
      await eventually('time moves on', () => Date.now() > made + 20 + timeStepMs)
      await uploads.size('u1', wait)
      await (await uploads.read('u1', undefined, wait)).cancel()
      expect(await uploads.touchedMs('u1', wait)).toBe(made)
      await uploads.append('u1', 0, streamOf('bytes'), () => {}, wait)
      expect(await uploads.touchedMs('u1', wait)).toBeGreaterThan(made)
      await uploads.remove('u1', wait)
      expect(await uploads.touchedMs('u1', wait)).toBeUndefined()
    })

    test('an upload goes on after a restart', async () => {
      if (under.restarted === undefined) return
      await uploads.create('u1', wait)
      await uploads.append('u1', 0, streamOf('before '), () => {}, wait)
      const after = under.restarted()
      expect(await after.size('u1', wait)).toBe(7)
      await after.append('u1', 7, streamOf('after'), () => {}, wait)
      expect(await textOf(await after.read('u1', undefined, wait))).toBe('before after')
    })
  })
}
