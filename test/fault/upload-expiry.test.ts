// Sessions that nobody goes on with end by time: which ones, and when they are looked for.

import { mkdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createFsUploads } from '../../origin/upload/fs-uploads.ts'
import type { Uploads } from '../../shared/ports/uploads.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { eventually } from '../support/stack.ts'
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

describe('a look at all sessions', () => {
  test('ends those that nobody touched for the time set, and says how many', async () => {
    const world = expiring.origin()
    const [fresh, old, older] = await Promise.all([1, 2, 3].map(() => world.pushBlob.start({ name }, 'sha256', wait)))
    await world.pushBlob.append({ name }, String(old), chunk('some bytes'), wait)
    await expiring.age(String(fresh), 23)
    await expiring.age(String(old), 25)
    await expiring.age(String(older), 24 * 400)
    expiring.expire(world)
    expect(await expiring.looked()).toMatchObject({ removed: 2, kept: 1, failed: 0 })
    expect(await expiring.sessions()).toEqual([fresh])
    await expect(world.pushBlob.status({ name }, String(old), wait)).rejects.toThrow('BLOB_UPLOAD_UNKNOWN')
  })

  test('looks at the newer of the file and its folder', async () => {
    const world = expiring.origin()
    const id = await world.pushBlob.start({ name }, 'sha256', wait)
    await expiring.age(id, 25)
    const now = new Date()
    await utimes(join(expiring.sessionsFolder, id, '0'), now, now)
    expiring.expire(world)
    expect(await expiring.looked()).toMatchObject({ removed: 0, kept: 1 })
  })

  test('takes away what a crash left of a session: a folder without its file', async () => {
    const world = expiring.origin()
    const id = await world.pushBlob.start({ name }, 'sha256', wait)
    const empty = id.replace(/^.{8}/, '00000000')
    await mkdir(join(expiring.sessionsFolder, empty))
    await expiring.age(empty, 25)
    expiring.expire(world)
    expect(await expiring.looked()).toMatchObject({ removed: 1, kept: 1 })
    expect(await expiring.sessions()).toEqual([id])
  })

  test('leaves alone what is no session', async () => {
    const world = expiring.origin()
    const id = await world.pushBlob.start({ name }, 'sha256', wait)
    await expiring.age(id, 25)
    const foreign = ['lost+found', 'README', '.hidden', 'ffffffff-x']
    for (const each of foreign) await mkdir(join(expiring.sessionsFolder, each))
    await writeFile(join(expiring.sessionsFolder, id.replace(/^.{8}/, '00000000')), 'a file named as a session')
    for (const each of foreign) await expiring.age(each, 1000)
    expiring.expire(world)
    expect(await expiring.looked()).toMatchObject({ removed: 1, kept: 0, failed: 0 })
    expect((await expiring.sessions()).length).toBe(foreign.length + 1)
  })

  test('finds nothing where there never was an upload', async () => {
    expiring.expire(expiring.origin())
    expect(await expiring.looked()).toMatchObject({ removed: 0, kept: 0, failed: 0 })
  })

  test('goes through many thousand sessions', async () => {
    const world = expiring.origin()
    const ids = Array.from(
      { length: 2000 },
      (_, at) => `${String(at).padStart(8, '0')}-0000-4000-8000-000000000000-0123456789abcdef`,
    )
    const then = new Date(Date.now() - 25 * hourMs)
    for (const id of ids) {
      await mkdir(join(expiring.sessionsFolder, id), { recursive: true })
      await utimes(join(expiring.sessionsFolder, id), then, then)
    }
    expiring.expire(world)
    expect(await expiring.looked(1, 100_000)).toMatchObject({ removed: 2000, kept: 0 })
    expect(await expiring.sessions()).toEqual([])
  })

  test('goes on where one session fails, and warns', async () => {
    const real = createFsUploads({ folder: expiring.folder })
    const [bad, good] = await Promise.all(
      [1, 2].map(() => expiring.origin(real).pushBlob.start({ name }, 'sha256', wait)),
    )
    for (const id of [bad, good]) await expiring.age(String(id), 25)
    const failing: Uploads = {
      ...real,
      remove: (id, each) =>
        id === bad ? Promise.reject(new UpstreamError('bucket', 'EACCES')) : real.remove(id, each),
    }
    expiring.expire(expiring.origin(failing))
    expect(await expiring.looked()).toMatchObject({ removed: 1, kept: 0, failed: 1 })
    expect(expiring.log.lines.at(-1)).toMatchObject({ level: 'warn', error: { source: 'bucket' } })
    expect(await expiring.sessions()).toEqual([bad])
  })

  test('gives up on a disk that hangs, and looks again an hour later', async () => {
    const real = createFsUploads({ folder: expiring.folder })
    let hangs = true
    const hanging: Uploads = {
      ...real,
      async *list({ signal }) {
        if (hangs) await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
        yield* real.list({ signal })
      },
    }
    expiring.expire(expiring.origin(hanging))
    await expiring.clock.untilArmed()
    expiring.clock.advance(60_000)
    await expiring.looked()
    expect(expiring.log.lines.at(-1)).toMatchObject({ level: 'warn', error: { source: 'bucket' } })
    hangs = false
    expiring.clock.advance(hourMs)
    expect(await expiring.looked(2)).toMatchObject({ failed: 0 })
    expect(expiring.log.lines.at(-1)?.level).toBe('info')
  })
})

describe('looks', () => {
  test('come at the start and then each hour, and no more once stopped', async () => {
    const world = expiring.origin()
    const id = await world.pushBlob.start({ name }, 'sha256', wait)
    const expiry = expiring.expire(world)
    expect(await expiring.looked(1)).toMatchObject({ removed: 0, kept: 1 })
    expiring.clock.advance(hourMs - 1)
    expect(expiring.log.lines.length).toBe(1)
    await expiring.age(id, 25)
    expiring.clock.advance(1)
    expect(await expiring.looked(2)).toMatchObject({ removed: 1, kept: 0 })
    await eventually('the next is set', () => expiring.clock.pending === 1)
    await expiry.stop()
    expect(expiring.clock.pending).toBe(0)
  })

  test('that go on when the process stops end early, and say nothing', async () => {
    const real = createFsUploads({ folder: expiring.folder })
    for (let at = 0; at < 3; at++)
      await expiring.age(await expiring.origin(real).pushBlob.start({ name }, 'sha256', wait), 25)
    const gate = gated(real, 'touchedMs', 3)
    const expiry = expiring.expire(expiring.origin(gate.uploads))
    await gate.reached
    const stopped = expiry.stop()
    gate.go()
    await stopped
    expect([(await expiring.sessions()).length, expiring.log.lines.length, expiring.clock.pending]).toEqual([2, 0, 0])
  })
})
