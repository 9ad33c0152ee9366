// Sessions that nobody goes on with end by time: which ones, what a request that comes meanwhile finds, and what a
// process leaves that ends in the middle. On a real folder; time is a fake clock's, and files are made old.

import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createFsBucket } from '../../origin/bucket/fs-bucket.ts'
import { systemRandom } from '../../origin/process/system-ports.ts'
import { createFsUploads } from '../../origin/upload/fs-uploads.ts'
import { nodeHasher } from '../../origin/upload/node-hasher.ts'
import type { Bucket } from '../../shared/ports/bucket.ts'
import type { Uploads } from '../../shared/ports/uploads.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { createPushBlob, type PushBlob } from '../../shared/registry/push-blob.ts'
import { startUploadExpiry, type UploadExpiry } from '../../shared/registry/upload-expiry.ts'
import { crashing } from '../support/crashing.ts'
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts'
import { createRecordingLog, type RecordingLog } from '../support/recording-log.ts'
import { eventually, temporaryFolder } from '../support/stack.ts'
import { repository, sha256 } from '../unit/arbitraries.ts'

const hourMs = 3600_000
const name = repository('some/name')
const wait = { signal: new AbortController().signal }

let folder: string
let removeFolder: () => Promise<void>
let bucket: Bucket
let clock: FakeClock
let log: RecordingLog
const running: UploadExpiry[] = []

beforeEach(async () => {
  const temporary = await temporaryFolder()
  folder = temporary.path
  removeFolder = temporary.remove
  bucket = await createFsBucket({ folder, random: systemRandom })
  clock = createFakeClock(Date.now())
  log = createRecordingLog()
})

afterEach(async () => {
  for (const expiry of running.splice(0)) await expiry.stop()
  await removeFolder()
})

const sessionsFolder = () => join(folder, 'mirrorball/uploads')
const sessions = () => readdir(sessionsFolder())

/** Makes a session look as if nobody had touched it for so long. */
async function age(id: string, hours: number): Promise<void> {
  const then = new Date(Date.now() - hours * hourMs)
  const session = join(sessionsFolder(), id)
  for (const each of await readdir(session)) await utimes(join(session, each), then, then)
  await utimes(session, then, then)
}

function origin(uploads: Uploads = createFsUploads({ folder }), written: Bucket = bucket) {
  const pushBlob = createPushBlob({ bucket: written, uploads, hasher: nodeHasher, random: systemRandom })
  return { uploads, pushBlob }
}

function expire({ uploads, pushBlob }: { uploads: Uploads; pushBlob: PushBlob }): UploadExpiry {
  const expiry = startUploadExpiry({ uploads, pushBlob, clock, log, expireAfterMs: 24 * hourMs })
  running.push(expiry)
  return expiry
}

/** Fields of the line that a look ends with. */
async function looked(times = 1, withinMs = 10_000): Promise<Readonly<Record<string, unknown>>> {
  const lines = () => log.lines.filter(({ message }) => message.startsWith('uploads expired'))
  await eventually('a look ends', () => lines().length >= times, withinMs)
  return lines().at(-1)?.fields ?? {}
}

function chunk(text: string) {
  return { body: new Blob([text]).stream(), range: undefined, lengthBytes: undefined }
}

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

/** Uploads of which one call waits until it is let on. */
function gated(uploads: Uploads, call: 'touchedMs' | 'remove', nth: number) {
  const [reached, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  let calls = 0
  const gate = async () => {
    calls += 1
    if (calls !== nth) return
    reached.resolve()
    await go.promise
  }
  const wrapped: Uploads = {
    ...uploads,
    async touchedMs(id, each) {
      if (call === 'touchedMs') await gate()
      return uploads.touchedMs(id, each)
    },
    async remove(id, each) {
      if (call === 'remove') await gate()
      return uploads.remove(id, each)
    },
  }
  return { uploads: wrapped, reached: reached.promise, go: () => go.resolve() }
}

describe('a look at all sessions', () => {
  test('ends those that nobody touched for the time set, and says how many', async () => {
    const world = origin()
    const [fresh, old, older] = await Promise.all([1, 2, 3].map(() => world.pushBlob.start({ name }, 'sha256', wait)))
    await world.pushBlob.append({ name }, String(old), chunk('some bytes'), wait)
    await age(String(fresh), 23)
    await age(String(old), 25)
    await age(String(older), 24 * 400)
    expire(world)
    expect(await looked()).toMatchObject({ removed: 2, kept: 1, failed: 0 })
    expect(await sessions()).toEqual([fresh])
    await expect(world.pushBlob.status({ name }, String(old), wait)).rejects.toThrow('BLOB_UPLOAD_UNKNOWN')
  })

  test('looks at the newer of the file and its folder', async () => {
    const world = origin()
    const id = await world.pushBlob.start({ name }, 'sha256', wait)
    await age(id, 25)
    const now = new Date()
    await utimes(join(sessionsFolder(), id, '0'), now, now)
    expire(world)
    expect(await looked()).toMatchObject({ removed: 0, kept: 1 })
  })

  test('takes away what a crash left of a session: a folder without its file', async () => {
    const world = origin()
    const id = await world.pushBlob.start({ name }, 'sha256', wait)
    const empty = id.replace(/^.{8}/, '00000000')
    await mkdir(join(sessionsFolder(), empty))
    await age(empty, 25)
    expire(world)
    expect(await looked()).toMatchObject({ removed: 1, kept: 1 })
    expect(await sessions()).toEqual([id])
  })

  test('leaves alone what is no session', async () => {
    const world = origin()
    const id = await world.pushBlob.start({ name }, 'sha256', wait)
    await age(id, 25)
    const foreign = ['lost+found', 'README', '.hidden', 'ffffffff-x']
    for (const each of foreign) await mkdir(join(sessionsFolder(), each))
    await writeFile(join(sessionsFolder(), id.replace(/^.{8}/, '00000000')), 'a file named as a session')
    for (const each of foreign) await age(each, 1000)
    expire(world)
    expect(await looked()).toMatchObject({ removed: 1, kept: 0, failed: 0 })
    expect((await sessions()).length).toBe(foreign.length + 1)
  })

  test('finds nothing where there never was an upload', async () => {
    expire(origin())
    expect(await looked()).toMatchObject({ removed: 0, kept: 0, failed: 0 })
  })

  test('goes through many thousand sessions', async () => {
    const world = origin()
    const ids = Array.from(
      { length: 2000 },
      (_, at) => `${String(at).padStart(8, '0')}-0000-4000-8000-000000000000-0123456789abcdef`,
    )
    const then = new Date(Date.now() - 25 * hourMs)
    for (const id of ids) {
      await mkdir(join(sessionsFolder(), id), { recursive: true })
      await utimes(join(sessionsFolder(), id), then, then)
    }
    expire(world)
    expect(await looked(1, 100_000)).toMatchObject({ removed: 2000, kept: 0 })
    expect(await sessions()).toEqual([])
  })

  test('goes on where one session fails, and warns', async () => {
    const real = createFsUploads({ folder })
    const [bad, good] = await Promise.all([1, 2].map(() => origin(real).pushBlob.start({ name }, 'sha256', wait)))
    for (const id of [bad, good]) await age(String(id), 25)
    const failing: Uploads = {
      ...real,
      remove: (id, each) =>
        id === bad ? Promise.reject(new UpstreamError('bucket', 'EACCES')) : real.remove(id, each),
    }
    expire(origin(failing))
    expect(await looked()).toMatchObject({ removed: 1, kept: 0, failed: 1 })
    expect(log.lines.at(-1)).toMatchObject({ level: 'warn', error: { source: 'bucket' } })
    expect(await sessions()).toEqual([bad])
  })

  test('gives up on a disk that hangs, and looks again an hour later', async () => {
    const real = createFsUploads({ folder })
    let hangs = true
    const hanging: Uploads = {
      ...real,
      async *list({ signal }) {
        if (hangs) await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
        yield* real.list({ signal })
      },
    }
    expire(origin(hanging))
    await clock.untilArmed()
    clock.advance(60_000)
    await looked()
    expect(log.lines.at(-1)).toMatchObject({ level: 'warn', error: { source: 'bucket' } })
    hangs = false
    clock.advance(hourMs)
    expect(await looked(2)).toMatchObject({ failed: 0 })
    expect(log.lines.at(-1)?.level).toBe('info')
  })
})

describe('looks', () => {
  test('come at the start and then each hour, and no more once stopped', async () => {
    const world = origin()
    const id = await world.pushBlob.start({ name }, 'sha256', wait)
    const expiry = expire(world)
    expect(await looked(1)).toMatchObject({ removed: 0, kept: 1 })
    clock.advance(hourMs - 1)
    expect(log.lines.length).toBe(1)
    await age(id, 25)
    clock.advance(1)
    expect(await looked(2)).toMatchObject({ removed: 1, kept: 0 })
    await eventually('the next is set', () => clock.pending === 1)
    await expiry.stop()
    expect(clock.pending).toBe(0)
  })

  test('that go on when the process stops end early, and say nothing', async () => {
    const real = createFsUploads({ folder })
    for (let at = 0; at < 3; at++) await age(await origin(real).pushBlob.start({ name }, 'sha256', wait), 25)
    const gate = gated(real, 'touchedMs', 3)
    const expiry = expire(origin(gate.uploads))
    await gate.reached
    const stopped = expiry.stop()
    gate.go()
    await stopped
    expect([(await sessions()).length, log.lines.length, clock.pending]).toEqual([2, 0, 0])
  })
})

describe('a request and a look at once', () => {
  test('a PATCH in flight keeps its session, however long ago it was touched', async () => {
    const world = origin()
    const id = await world.pushBlob.start({ name }, 'sha256', wait)
    const slow = slowChunk('late bytes')
    const patch = world.pushBlob.append({ name }, id, slow.chunk, wait)
    await age(id, 25)
    expire(world)
    expect(await looked()).toMatchObject({ removed: 0, kept: 1 })
    await slow.end()
    expect(await patch).toBe(10)
    await world.pushBlob.finish({ name }, id, sha256('late bytes'), chunk(''), wait)
  })

  test('a PUT in flight keeps its session, and publishes', async () => {
    const world = origin()
    const id = await world.pushBlob.start({ name }, 'sha256', wait)
    const slow = slowChunk('late bytes')
    const put = world.pushBlob.finish({ name }, id, sha256('late bytes'), slow.chunk, wait)
    await age(id, 25)
    expire(world)
    expect(await looked()).toMatchObject({ removed: 0, kept: 1 })
    await slow.end()
    await put
    expect(await sessions()).toEqual([])
  })

  test('a PATCH that comes before the session was looked at in its turn goes before the look', async () => {
    // The first look is without a turn, the second in it.
    for (const nth of [1, 2]) {
      const gate = gated(createFsUploads({ folder }), 'touchedMs', nth)
      const world = origin(gate.uploads)
      const id = await world.pushBlob.start({ name }, 'sha256', wait)
      await age(id, 25)
      const lines = log.lines.length
      const expiry = expire(world)
      await gate.reached
      const patch = world.pushBlob.append({ name }, id, chunk('bytes'), wait)
      gate.go()
      expect(await patch).toBe(5)
      await eventually('the look ends', () => log.lines.length > lines)
      expect(log.lines.at(-1)).toMatchObject({ level: 'info', fields: { removed: 0, kept: 1, failed: 0 } })
      await world.pushBlob.finish({ name }, id, sha256('bytes'), chunk(''), wait)
      await expiry.stop()
    }
  })

  test('a PATCH that comes when the session is being removed waits, and is told that there is none', async () => {
    const real = createFsUploads({ folder })
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
    const world = origin(uploads)
    const id = await world.pushBlob.start({ name }, 'sha256', wait)
    await age(id, 25)
    expire(world)
    await removing.promise
    const patch = world.pushBlob.append({ name }, id, chunk('bytes'), wait)
    go.resolve()
    await expect(patch).rejects.toThrow('BLOB_UPLOAD_UNKNOWN')
    expect(await looked()).toMatchObject({ removed: 1, kept: 0, failed: 0 })
    expect(await sessions()).toEqual([])
  })

  test('a request that ended just before its turn has touched the session, which stays', async () => {
    const gate = gated(createFsUploads({ folder }), 'touchedMs', 1)
    const world = origin(gate.uploads)
    const id = await world.pushBlob.start({ name }, 'sha256', wait)
    await age(id, 25)
    expire({
      ...world,
      uploads: {
        ...gate.uploads,
        touchedMs: async (...args) => ((await gate.uploads.touchedMs(...args)) ?? 0) - 25 * hourMs,
      },
    })
    await gate.reached
    await world.pushBlob.append({ name }, id, chunk('bytes'), wait)
    gate.go()
    expect(await looked()).toMatchObject({ removed: 0, kept: 1 })
    expect(await world.pushBlob.status({ name }, id, wait)).toBe(5)
  })
})

test('a process that ends at any moment of a look leaves blobs and younger sessions whole, and the next look ends it', async () => {
  let moments = 1
  for (let crashAt = 0; crashAt < moments; crashAt++) {
    const world = origin()
    await world.pushBlob.whole({ name }, sha256('a blob'), chunk('a blob'), wait)
    const young = await world.pushBlob.start({ name }, 'sha256', wait)
    await world.pushBlob.append({ name }, young, chunk('young'), wait)
    for (let at = 0; at < 3; at++) await age(await world.pushBlob.start({ name }, 'sha256', wait), 25)

    const crash = crashing(bucket, world.uploads, crashAt)
    const lines = log.lines.length
    const first = expire(origin(crash.uploads, crash.bucket))
    await eventually('the look ends', () => log.lines.length > lines)
    await first.stop()
    moments = crash.moments.length === crashAt ? crashAt : crashAt + 2

    const second = expire(origin())
    await eventually('the next look ends', () => log.lines.length > lines + 1)
    await second.stop()
    expect(log.lines.at(-1), crash.moments.at(-1)).toMatchObject({ level: 'info', fields: { kept: 1, failed: 0 } })
    expect(await sessions()).toEqual([young])
    await origin().pushBlob.finish({ name }, young, sha256('young'), chunk(''), wait)
    await origin().pushBlob.whole({ name }, sha256('a blob'), chunk('a blob'), wait)
  }
  // Three removals, before and after each.
  expect(moments).toBe(6)
})
