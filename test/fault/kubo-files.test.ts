// A file that is on its way to a Kubo which stops or breaks off, or that breaks itself.

import { expect, test } from 'vitest'
import type { ContentFile } from '../../shared/ports/content-store.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { testFile, testImage } from '../support/ipfs/content.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { randomBytes } from '../support/image.ts'
import { eventually } from '../support/stack.ts'
import {
  describeBehindProxy,
  failureOf,
  large,
  mebibyte,
  small,
  storeAt,
  timeoutMs,
  wait,
} from '../support/ipfs/kubo-faults.ts'

describeBehindProxy((behind) => {
  /** A large file that notes how much of it was read, and whether it was let go. */
  function watched(chunks: () => AsyncIterable<Uint8Array>) {
    const seen = { readBytes: 0, cancelled: false }
    async function* counted() {
      try {
        for await (const chunk of chunks()) {
          seen.readBytes += chunk.byteLength
          yield chunk
        }
      } finally {
        seen.cancelled = true
      }
    }
    const file: ContentFile = { ...large, open: async () => ReadableStream.from(counted()) }
    return { file, seen }
  }

  async function* endless() {
    for (;;) yield randomBytes(3, mebibyte)
  }

  test('a node that stops in the middle of a file stops its reading, and the add ends in time', async () => {
    const clock = createFakeClock()
    const reached = behind.proxy.failAt('add', 'stops reading')
    const { file, seen } = watched(endless)
    const failure = failureOf(storeAt(behind.proxy.url, clock).add(file, wait))
    await reached
    let before = -1
    await eventually('nothing moves', async () => {
      const still = before === seen.readBytes && before > 0
      before = seen.readBytes
      return still
    })
    expect(seen.readBytes).toBeLessThan(64 * mebibyte)
    clock.advance(timeoutMs - 1)
    expect(seen.cancelled).toBe(false)
    clock.advance(1)
    await failure
    await eventually('the file is let go', () => seen.cancelled)
  })

  test.each(['refuses', 'reset at once'] as const)(
    'a node that %s in the middle of a file lets it go',
    async (fault) => {
      void behind.proxy.failAt('add', fault)
      const { file, seen } = watched(endless)
      await failureOf(storeAt(behind.proxy.url).add(file, wait))
      await eventually('the file is let go', () => seen.cancelled)
    },
  )

  test('a file may take longer than the limit while its bytes keep coming', async () => {
    const clock = createFakeClock()
    async function* slow() {
      for (let at = 0; at < 3; at += 1) {
        clock.advance(timeoutMs - 1)
        yield randomBytes(2, 3 * mebibyte).subarray(at * mebibyte, (at + 1) * mebibyte)
      }
    }
    await storeAt(behind.proxy.url, clock).add(watched(slow).file, wait)
    expect(await behind.node.localBlock(large.cid)).toBeDefined()
  })

  test('a file that breaks while it is read is no fault of Kubo', async () => {
    async function* broken() {
      yield randomBytes(2, 10)
      throw new UpstreamError('bucket', 'the disk broke')
    }
    const store = storeAt(behind.proxy.url)
    for (const of of [small, large]) {
      await expect(store.add({ ...of, open: async () => ReadableStream.from(broken()) }, wait)).rejects.toThrow(
        'bucket: the disk broke',
      )
      await store.add(of, wait)
    }
  })

  test('a bucket that hangs, and hears no signal, hangs nobody', async () => {
    const clock = createFakeClock()
    const file: ContentFile = { ...large, open: () => new Promise(() => {}) }
    const failure = failureOf(storeAt(behind.proxy.url, clock).add(file, wait))
    await clock.untilArmed()
    clock.advance(timeoutMs)
    await failure
  })

  test('where one file of an image breaks, the others are not sent to their end', async () => {
    const reached = behind.proxy.failAt('add', 'silent')
    const broken = await testFile(randomBytes(7, 500))
    const open = async () => {
      await reached
      throw new UpstreamError('bucket', 'the disk broke')
    }
    const withBroken = await testImage([large, { ...broken, open }])
    await expect(storeAt(behind.proxy.url).publish(withBroken, wait)).rejects.toThrow('bucket: the disk broke')
    await (
      await reached
    ).closed
  })

  test.each([0, 1])('a small file with bytes too few or too many (%i) is the fault of the bucket', async (at) => {
    const bytes = randomBytes(1, at === 0 ? 999 : 1001)
    const file = { ...small, open: async () => ReadableStream.from([bytes]) }
    await expect(storeAt(behind.proxy.url).add(file, wait)).rejects.toThrow('instead of 1000')
  })
})
