// Sessions of uploads that end by time: on a real folder, where files are made old, and by a fake clock.

import { readdir, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { createFsBucket } from '../../../origin/bucket/fs-bucket.ts'
import { systemRandom } from '../../../origin/compose/system-ports.ts'
import { createFsUploads } from '../../../origin/upload/fs-uploads.ts'
import { nodeHasher } from '../../../origin/upload/node-hasher.ts'
import type { Bucket } from '../../../shared/ports/bucket.ts'
import type { Repeating } from '../../../shared/concurrency/repeat.ts'
import type { Uploads } from '../../../shared/ports/uploads.ts'
import { createPushBlob, type PushBlob } from '../../../shared/registry/push-blob.ts'
import { startUploadExpiry } from '../../../shared/registry/upload-expiry.ts'
import { createFakeClock, type FakeClock } from '../fake-clock.ts'
import { createRecordingLog, type RecordingLog } from '../recording-log.ts'
import { eventually, temporaryFolder } from '../stack.ts'
import { repository } from '../arbitraries.ts'
import type { Wait } from '../../../shared/ports/bucket.ts'

export const hourMs = 3600_000
export const name = repository('some/name')
export const wait: Wait = { signal: new AbortController().signal }

/** Sessions of uploads in a real folder, by a clock of the test. */
export interface ExpiringUploads {
  readonly folder: string
  readonly sessionsFolder: string
  readonly bucket: Bucket
  readonly clock: FakeClock
  readonly log: RecordingLog
  /** Ids of the sessions that are there. */
  readonly sessions: () => Promise<readonly string[]>
  /** Makes a session look as if nobody had touched it for so long. */
  readonly age: (id: string, hours: number) => Promise<void>
  /** As an origin has it that starts on the folder. */
  readonly origin: (uploads?: Uploads, bucket?: Bucket) => Origin
  /** Begins to look for sessions that are older than a day. */
  readonly expire: (origin: Origin) => Repeating
  /** Fields of the line that a look ends with. */
  readonly looked: (times?: number, withinMs?: number) => Promise<Readonly<Record<string, unknown>>>
  readonly stop: () => Promise<void>
}

interface Origin {
  readonly uploads: Uploads
  readonly pushBlob: PushBlob
}

export async function startExpiringUploads(): Promise<ExpiringUploads> {
  const { path: folder, remove } = await temporaryFolder()
  const sessionsFolder = join(folder, 'mirrorball/uploads')
  const bucket = await createFsBucket({ folder, random: systemRandom })
  const clock = createFakeClock(Date.now())
  const log = createRecordingLog()
  const running: Repeating[] = []
  return {
    folder,
    sessionsFolder,
    bucket,
    clock,
    log,
    sessions: () => readdir(sessionsFolder),
    async age(id, hours) {
      const then = new Date(Date.now() - hours * hourMs)
      const session = join(sessionsFolder, id)
      for (const each of await readdir(session)) await utimes(join(session, each), then, then)
      await utimes(session, then, then)
    },
    origin(uploads = createFsUploads({ folder }), written = bucket) {
      const pushBlob = createPushBlob({ bucket: written, uploads, hasher: nodeHasher, random: systemRandom })
      return { uploads, pushBlob }
    },
    expire({ uploads, pushBlob }) {
      const expiry = startUploadExpiry({ uploads, pushBlob, clock, log, expireAfterMs: 24 * hourMs })
      running.push(expiry)
      return expiry
    },
    async looked(times = 1, withinMs = 10_000) {
      const lines = () => log.lines.filter(({ message }) => message.startsWith('uploads expired'))
      await eventually('a look ends', () => lines().length >= times, withinMs)
      return lines().at(-1)?.fields ?? {}
    },
    async stop() {
      for (const expiry of running) await expiry.stop()
      await remove()
    },
  }
}

export function chunk(text: string) {
  return { body: new Blob([text]).stream(), range: undefined, lengthBytes: undefined }
}

/** Uploads of which one call waits until it is let on. */
export function gated(uploads: Uploads, call: 'touchedMs' | 'remove', nth: number) {
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
