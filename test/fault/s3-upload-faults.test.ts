// Staging on S3 when the server fails, answers get lost, or another origin goes on with the same upload: nothing that was
// acknowledged is lost, nothing that nobody checked is published, and what is left over is found.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { connectS3, type S3Connection } from '../../origin/bucket/s3-connection.ts'
import { createS3Bucket } from '../../origin/bucket/s3-bucket.ts'
import { systemClock, systemRandom } from '../../origin/compose/system-ports.ts'
import { createS3Uploads } from '../../origin/upload/s3-uploads.ts'
import { blobKey, type KeyPrefix } from '../../shared/layout/keys.ts'
import type { Bucket } from '../../shared/ports/bucket.ts'
import type { Uploads } from '../../shared/ports/uploads.ts'
import { digestFrom, digestOf, hexOf } from '../../shared/protocol/digest.ts'
import { OciError, UpstreamError } from '../../shared/protocol/errors.ts'
import { losesTheAnswer, refuses, type S3Proxy, stale, startS3Proxy, succeeds } from '../support/bucket/s3-proxy.ts'
import { type S3Server, s3Servers } from '../support/bucket/s3-servers.ts'

const wait = { signal: new AbortController().signal }
const key = blobKey(digestFrom('sha256', 'ab'.repeat(32)))
const mebibyte = 1024 * 1024

describe.each(s3Servers)('$name', (kind) => {
  describe.skipIf(kind.missing !== undefined)(kind.missing ?? 'is there', () => {
    let server: S3Server
    let proxy: S3Proxy
    let s3: S3Connection
    let bucket: Bucket
    let uploads: Uploads
    /** Another origin on the same bucket. */
    let other: Uploads

    beforeAll(async () => {
      server = await kind.start()
      proxy = await startS3Proxy(server.access)
    })
    afterAll(async () => {
      await proxy.stop()
      await server.stop()
    })

    beforeEach(async () => {
      s3 = connectS3({
        access: { ...proxy.access, prefix: `${systemRandom.uuid()}/` },
        clock: systemClock,
        timeoutMs: 60_000,
      })
      bucket = createS3Bucket(s3)
      // So little that pieces are as small as they get.
      const open = () =>
        createS3Uploads({ s3, bucket, random: systemRandom, conditional: true, memoryBytes: 16 * mebibyte })
      uploads = open()
      other = open()
      await uploads.create('u1', wait)
    })
    afterEach(async () => {
      proxy.mend()
      await proxy.settled()
    })

    const bytes = (letter: string, length: number) => new TextEncoder().encode(letter.repeat(length))
    const streamOf = (...parts: Uint8Array[]) => ReadableStream.from(parts)
    const append = (to: Uploads, offset: number, ...parts: Uint8Array[]) =>
      to.append('u1', offset, streamOf(...parts), () => {}, wait)
    /** Each by a request of its own, so that each is a piece, where it is not larger than one may be. */
    const appendEach = async (parts: readonly Uint8Array[]) => {
      let size = 0
      for (const part of parts) size = await append(uploads, size, part)
      return size
    }
    const published = async () => {
      const opened = await bucket.open(key, undefined, wait)
      return opened && new TextDecoder().decode(await new Response(opened.body).arrayBuffer())
    }
    const keysLeft = async () => {
      const left = []
      for await (const { path } of bucket.list('mirrorball/uploads/u1/' as KeyPrefix, '', wait)) left.push(path)
      return left
    }

    describe('an append', () => {
      test('goes on after errors of the server', async () => {
        proxy.fail(/^PUT/, refuses(500, 'InternalError'), 2)
        expect(await append(uploads, 0, bytes('a', 100_000))).toBe(100_000)
        await uploads.publish('u1', key, 100_000, wait)
        expect(await published()).toBe('a'.repeat(100_000))
      })

      test('has its bytes signed where somebody on the way could change them', async () => {
        await append(uploads, 0, bytes('a', 700_000))
        expect(proxy.bodyHash).toBe('UNSIGNED-PAYLOAD')
        // Reaches the same proxy, by an address that is not known for it, and that the server behind it does not like.
        const endpoint = proxy.access.endpoint.replace('127.0.0.1', '0.0.0.0')
        const far = connectS3({ access: { ...proxy.access, endpoint }, clock: systemClock, timeoutMs: 60_000 })
        proxy.fail(/^PUT/, succeeds)
        const there = createS3Uploads({
          s3: far,
          bucket: createS3Bucket(far),
          random: systemRandom,
          conditional: true,
          memoryBytes: 16 * mebibyte,
        })
        await there.append('u1', 0, streamOf(bytes('a', 700_000)), () => {}, wait)
        expect(proxy.bodyHash).toBe(hexOf(await digestOf(bytes('a', 700_000))))
      })

      test('knows its own piece where the answer was lost', async () => {
        proxy.fail(/^PUT/, losesTheAnswer, 1)
        expect(await append(uploads, 0, bytes('a', 100_000))).toBe(100_000)
        expect(proxy.calls.some((call) => call.endsWith('412'))).toBe(true)
        await uploads.publish('u1', key, 100_000, wait)
        expect(await published()).toBe('a'.repeat(100_000))
      })

      test('that fails leaves what was there, and the next one goes on', async () => {
        await append(uploads, 0, bytes('a', 10))
        proxy.fail(/^PUT/, refuses(403, 'AccessDenied'))
        await expect(append(uploads, 10, bytes('b', 10))).rejects.toBeInstanceOf(UpstreamError)
        proxy.mend()
        expect(await uploads.size('u1', wait)).toBe(10)
        expect(await append(uploads, 10, bytes('c', 10))).toBe(20)
        await uploads.publish('u1', key, 20, wait)
        expect(await published()).toBe('a'.repeat(10) + 'c'.repeat(10))
      })

      test('of two at the same place, one succeeds and the other is told', async () => {
        const results = await Promise.allSettled([append(uploads, 0, bytes('a', 10)), append(other, 0, bytes('b', 20))])
        expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
        const [lost] = results.filter((result) => result.status === 'rejected')
        expect(lost?.reason).toBeInstanceOf(OciError)
        expect(String(lost?.reason)).toContain('another request went on')
        expect([10, 20]).toContain(await uploads.size('u1', wait))
      })

      test('after a stale list is refused, and changes nothing', async () => {
        await append(uploads, 0, bytes('a', 10))
        proxy.fail(/list-type/, stale())
        expect(await other.size('u1', wait)).toBe(10)
        await append(uploads, 10, bytes('b', 10))
        expect(await other.size('u1', wait)).toBe(10)
        await expect(append(other, 10, bytes('c', 10))).rejects.toThrow(/^BLOB_UPLOAD_INVALID: another request went on/)
        proxy.mend()
        expect(await other.size('u1', wait)).toBe(20)
      })
    })

    describe('publishing', () => {
      const many = [bytes('a', 5 * mebibyte), bytes('b', 5 * mebibyte), bytes('c', 1000)]
      const whole = many.reduce((sum, { byteLength }) => sum + byteLength, 0)
      /** By the other origin. */
      const replaceAll = async (parts: readonly Uint8Array[]) => {
        await other.truncate('u1', 0, wait)
        let size = 0
        for (const part of parts) size = await append(other, size, part)
      }
      const letters = (text: string | undefined) => [...new Set(text)].join('')

      test('of equal pieces is a copy by the server', async () => {
        await appendEach(many)
        const before = proxy.calls.length
        await uploads.publish('u1', key, whole, wait)
        expect(proxy.calls.slice(before).filter((call) => /^GET .*\/uploads\/u1\/\d/.test(call))).toEqual([])
        const text = await published()
        expect([text?.length, letters(text)]).toEqual([whole, 'abc'])
        expect(await keysLeft()).toEqual([])
      })

      test.each([
        ['small pieces', [1000, 10, 1000, 1], 2011],
        ['a small piece before large ones', [5, 9 * mebibyte], 9 * mebibyte + 5],
        ['more than one object’s worth of unequal pieces', [6 * mebibyte, 33 * mebibyte, 3], 39 * mebibyte + 3],
      ])('of %s is a copy by the origin', async (_, lengths, total) => {
        expect(await appendEach(lengths.map((length, at) => bytes(String(at), length)))).toBe(total)
        await uploads.publish('u1', key, total, wait)
        const text = await published()
        expect([text?.length, letters(text)]).toEqual([total, lengths.map((_, at) => at).join('')])
        expect(await keysLeft()).toEqual([])
      })

      test('by an origin that saw none of the bytes needs them to be read first', async () => {
        await append(uploads, 0, bytes('a', 1000))
        await expect(other.publish('u1', key, 1000, wait)).rejects.toThrow(
          /^BLOB_UPLOAD_INVALID: another request went on/,
        )
        await new Response((await other.read('u1', undefined, wait)) as ReadableStream<Uint8Array<ArrayBuffer>>).bytes()
        await other.publish('u1', key, 1000, wait)
        expect(await published()).toBe('a'.repeat(1000))
      })

      test.each([
        ['one piece', [bytes('a', 1000)], /^PUT .*\/data$/],
        ['small pieces', [bytes('a', 1000), bytes('b', 10)], /^GET .*\/uploads\/u1\/0/],
        ['equal pieces', many, /^PUT .*\/data\?.*partNumber=1/],
      ])('never takes a piece that is another one now: %s', async (_, parts, call) => {
        const size = await appendEach(parts)
        proxy.before(call, () => replaceAll(parts.map((part) => part.slice().fill(120))))
        await expect(uploads.publish('u1', key, size, wait)).rejects.toThrow(
          /^BLOB_UPLOAD_INVALID: another request went on/,
        )
        expect(await published()).toBeUndefined()
      })

      test.each([
        ['one piece', [bytes('a', 1000)]],
        ['small pieces', [bytes('a', 1000), bytes('b', 10)]],
        ['equal pieces', many],
      ])('never takes a piece that was another one already: %s', async (_, parts) => {
        const size = await appendEach(parts)
        await replaceAll(parts.map((part) => part.slice().fill(120)))
        await expect(uploads.publish('u1', key, size, wait)).rejects.toThrow(
          /^BLOB_UPLOAD_INVALID: another request went on/,
        )
        expect(await published()).toBeUndefined()
      })

      test('never takes a piece that was another one for a while', async () => {
        const size = await appendEach(many)
        proxy.before(/^PUT .*\/data\?.*partNumber=1/, async () => {
          await replaceAll(many.map((part) => part.slice().fill(120)))
          proxy.before(/list-type/, () => replaceAll(many))
        })
        await expect(uploads.publish('u1', key, size, wait)).rejects.toThrow(
          /^BLOB_UPLOAD_INVALID: another request went on/,
        )
        expect(await published()).toBeUndefined()
      })

      test.each([
        ['the copy', /^PUT .*\/data\?.*partNumber=2/],
        ['the end', /^POST .*\/data\?.*uploadId/],
        ['the beginning', /^POST .*\/data\?.*uploads/],
      ])('that fails at %s leaves the upload as it was, and can be tried again', async (_, call) => {
        await appendEach(many)
        const before = await keysLeft()
        const begun = proxy.calls.length
        proxy.fail(call, refuses(403, 'AccessDenied'))
        await expect(uploads.publish('u1', key, whole, wait)).rejects.toBeInstanceOf(UpstreamError)
        proxy.mend()
        const done = proxy.calls.slice(begun)
        const count = (what: RegExp) => done.filter((each) => what.test(each)).length
        expect(count(/^DELETE .*uploadId.* 204$/)).toBe(count(/^POST .*uploads.* 200$/))
        expect(await keysLeft()).toEqual(before)
        expect(await published()).toBeUndefined()
        await uploads.publish('u1', key, whole, wait)
        expect((await published())?.length).toBe(whole)
      })

      test('succeeds where the last answer was lost', async () => {
        await appendEach(many)
        proxy.fail(/^POST .*\/data\?.*uploadId/, losesTheAnswer, 1)
        await uploads.publish('u1', key, whole, wait)
        expect((await published())?.length).toBe(whole)
        expect(await keysLeft()).toEqual([])
      })

      test('succeeds where what is left cannot be removed, which is then found by its age', async () => {
        await append(uploads, 0, bytes('a', 1000))
        proxy.fail(/^DELETE/, refuses(403, 'AccessDenied'))
        await uploads.publish('u1', key, 1000, wait)
        proxy.mend()
        expect(await published()).toBe('a'.repeat(1000))
        const ids = []
        for await (const id of uploads.list(wait)) ids.push(id)
        expect(ids).toEqual(['u1'])
      })

      test('that a crash broke off leaves a session whose end frees the parts', async () => {
        await appendEach(many)
        // As if the process had ended here: it completes nothing, and aborts nothing.
        proxy.fail(/^POST .*\/data\?.*uploadId/, refuses(403, 'AccessDenied'))
        proxy.fail(/^DELETE .*uploadId/, refuses(403, 'AccessDenied'))
        await expect(uploads.publish('u1', key, whole, wait)).rejects.toBeInstanceOf(UpstreamError)
        proxy.mend()
        expect(await other.touchedMs('u1', wait)).toBeGreaterThan(0)
        const aborts = () => proxy.calls.filter((call) => /^DELETE .*uploadId.* 204$/.test(call))
        const before = aborts().length
        await other.remove('u1', wait)
        expect(aborts().length).toBe(before + 1)
        expect(await keysLeft()).toEqual([])
      })
    })

    test('an end that breaks off is no session any more, and is found', async () => {
      await append(uploads, 0, bytes('a', 1000))
      proxy.fail(/^DELETE .*\/u1\/0/, refuses(403, 'AccessDenied'))
      await expect(uploads.remove('u1', wait)).rejects.toBeInstanceOf(UpstreamError)
      proxy.mend()
      expect(await uploads.size('u1', wait)).toBeUndefined()
      expect(await uploads.touchedMs('u1', wait)).toBeGreaterThan(0)
      await uploads.remove('u1', wait)
      expect(await uploads.touchedMs('u1', wait)).toBeUndefined()
    })

    test('a truncation that breaks off leaves a beginning without a gap', async () => {
      for (const [at, letter] of ['a', 'b', 'c', 'd'].entries()) await append(uploads, at * 10, bytes(letter, 10))
      proxy.fail(/^DELETE .*\/u1\/20/, refuses(403, 'AccessDenied'))
      await expect(uploads.truncate('u1', 10, wait)).rejects.toBeInstanceOf(UpstreamError)
      expect(await uploads.size('u1', wait)).toBe(30)
    })
  })
})
