// Sessions that end by time: what a request that comes meanwhile finds, and what a process leaves that ends in the middle.

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createFsUploads } from '../../origin/upload/fs-uploads.ts'
import type { Uploads } from '../../shared/ports/uploads.ts'
import { crashing } from '../support/bucket/crashing.ts'
import { eventually } from '../support/stack.ts'
import { sha256 } from '../support/arbitraries.ts'
import {
  chunk,
  type ExpiringUploads,
  gated,
  hourMs,
  name,
  startExpiringUploads,
  wait,
} from '../support/bucket/expiring-uploads.ts'

let expiring: ExpiringUploads

beforeEach(async () => {
  expiring = await startExpiringUploads()
})

afterEach(() => expiring.stop())

/** A body that stays open until it is told to go on. */
function slowChunk(text: string) {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
  const writer = writable.getWriter()
  return {
    chunk: { body: readable, range: undefined, lengthBytes: undefined },
    async end() {
      await writer.write(new TextEncoder().encode(text))
      await writer.close()
    },
  }
}

describe('a request and a look at once', () => {
  test('a PATCH in flight keeps its session, however long ago it was touched', async () => {
    const world = expiring.origin()
    const id = await world.pushBlob.start({ name }, 'sha256', wait)
    const slow = slowChunk('late bytes')
    const patch = world.pushBlob.append({ name }, id, slow.chunk, wait)
    await expiring.age(id, 25)
    expiring.expire(world)
    expect(await expiring.looked()).toMatchObject({ removed: 0, kept: 1 })
    await slow.end()
    expect(await patch).toBe(10)
    await world.pushBlob.finish({ name }, id, sha256('late bytes'), chunk(''), wait)
  })

  test('a PUT in flight keeps its session, and publishes', async () => {
    const world = expiring.origin()
    const id = await world.pushBlob.start({ name }, 'sha256', wait)
    const slow = slowChunk('late bytes')
    const put = world.pushBlob.finish({ name }, id, sha256('late bytes'), slow.chunk, wait)
    await expiring.age(id, 25)
    expiring.expire(world)
    expect(await expiring.looked()).toMatchObject({ removed: 0, kept: 1 })
    await slow.end()
    await put
    expect(await expiring.sessions()).toEqual([])
  })

  test('a PATCH that comes before the session was looked at in its turn goes before the look', async () => {
    // The first look is without a turn, the second in it.
    for (const nth of [1, 2]) {
      const gate = gated(createFsUploads({ folder: expiring.folder }), 'touchedMs', nth)
      const world = expiring.origin(gate.uploads)
      const id = await world.pushBlob.start({ name }, 'sha256', wait)
      await expiring.age(id, 25)
      const lines = expiring.log.lines.length
      const expiry = expiring.expire(world)
      await gate.reached
      const patch = world.pushBlob.append({ name }, id, chunk('bytes'), wait)
      gate.go()
      expect(await patch).toBe(5)
      await eventually('the look ends', () => expiring.log.lines.length > lines)
      expect(expiring.log.lines.at(-1)).toMatchObject({ level: 'info', fields: { removed: 0, kept: 1, failed: 0 } })
      await world.pushBlob.finish({ name }, id, sha256('bytes'), chunk(''), wait)
      await expiry.stop()
    }
  })

  test('a PATCH that comes when the session is being removed waits, and is told that there is none', async () => {
    const real = createFsUploads({ folder: expiring.folder })
    const removing = Promise.withResolvers<void>()
    const go = Promise.withResolvers<void>()
    // As far as anyone can see the removal has begun: it no longer heeds the signal.
    const uploads: Uploads = {
      ...real,
      async remove(id) {
        removing.resolve()
        await go.promise
        await real.remove(id, wait)
      },
    }
    const world = expiring.origin(uploads)
    const id = await world.pushBlob.start({ name }, 'sha256', wait)
    await expiring.age(id, 25)
    expiring.expire(world)
    await removing.promise
    const patch = world.pushBlob.append({ name }, id, chunk('bytes'), wait)
    go.resolve()
    await expect(patch).rejects.toThrow('BLOB_UPLOAD_UNKNOWN')
    expect(await expiring.looked()).toMatchObject({ removed: 1, kept: 0, failed: 0 })
    expect(await expiring.sessions()).toEqual([])
  })

  test('a request that ended just before its turn has touched the session, which stays', async () => {
    const gate = gated(createFsUploads({ folder: expiring.folder }), 'touchedMs', 1)
    const world = expiring.origin(gate.uploads)
    const id = await world.pushBlob.start({ name }, 'sha256', wait)
    await expiring.age(id, 25)
    expiring.expire({
      ...world,
      uploads: {
        ...gate.uploads,
        touchedMs: async (...args) => ((await gate.uploads.touchedMs(...args)) ?? 0) - 25 * hourMs,
      },
    })
    await gate.reached
    await world.pushBlob.append({ name }, id, chunk('bytes'), wait)
    gate.go()
    expect(await expiring.looked()).toMatchObject({ removed: 0, kept: 1 })
    expect(await world.pushBlob.status({ name }, id, wait)).toBe(5)
  })
})

test('a process that ends at any moment of a look leaves blobs and younger sessions whole, and the next look ends it', async () => {
  let moments = 1
  for (let crashAt = 0; crashAt < moments; crashAt++) {
    const world = expiring.origin()
    await world.pushBlob.whole({ name }, sha256('a blob'), chunk('a blob'), wait)
    const young = await world.pushBlob.start({ name }, 'sha256', wait)
    await world.pushBlob.append({ name }, young, chunk('young'), wait)
    for (let at = 0; at < 3; at++) await expiring.age(await world.pushBlob.start({ name }, 'sha256', wait), 25)

    const crash = crashing(expiring.bucket, world.uploads, crashAt)
    const lines = expiring.log.lines.length
    const first = expiring.expire(expiring.origin(crash.uploads, crash.bucket))
    await eventually('the look ends', () => expiring.log.lines.length > lines)
    await first.stop()
    moments = crash.moments.length === crashAt ? crashAt : crashAt + 2

    const second = expiring.expire(expiring.origin())
    await eventually('the next look ends', () => expiring.log.lines.length > lines + 1)
    await second.stop()
    expect(expiring.log.lines.at(-1), crash.moments.at(-1)).toMatchObject({
      level: 'info',
      fields: { kept: 1, failed: 0 },
    })
    expect(await expiring.sessions()).toEqual([young])
    await expiring.origin().pushBlob.finish({ name }, young, sha256('young'), chunk(''), wait)
    await expiring.origin().pushBlob.whole({ name }, sha256('a blob'), chunk('a blob'), wait)
  }
  // Three removals, before and after each.
  expect(moments).toBe(6)
})
