// Staging of uploads in the bucket's folder: an upload is one file that grows, and publishing moves it.

import { mkdir, open, opendir, rm, rmdir, stat } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { uploadKey, uploadsPrefix } from '../../shared/layout/keys.ts'
import { orAborted } from '../../shared/concurrency/or-aborted.ts'
import { takenOver, type Uploads } from '../../shared/ports/uploads.ts'
import { createDurableFolder, isMissing } from '../bucket/durable-folder.ts'
import { fileStream } from '../bucket/file-stream.ts'
import { closeSoon } from '../bucket/synced-files.ts'
import { asUpstream } from '../bucket/fs-bucket.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import type { HashingThreads } from './hashing-threads.ts'
import { freeChunk } from '../http/spent-chunks.ts'

/** Bytes gathered before they are written: the network gives 64 KiB at a time, and a write costs a round to a thread. */
const batchBytes = 512 * 1024

/** Chunks gathered at most, for clients that send a few bytes at a time; the system takes 1,024 in one write. */
const batchChunks = 1024

/** Bytes after which the disk is told to begin: else all of a layer would be waited for at its end. */
const syncEveryBytes = 32 * 1024 * 1024

export interface FsUploadsDeps {
  /** Of the bucket; staging and blobs must lie on one file system, or publishing could not be a move. */
  readonly folder: string
  /** By default whoever takes the bytes hashes them. */
  readonly threads?: HashingThreads
}

export function createFsUploads(deps: FsUploadsDeps): Uploads {
  const { threads } = deps
  const root = resolve(deps.folder)
  const durable = createDurableFolder(root)
  const fileOf = (id: string) => join(root, uploadKey(id, 0))
  const end = (id: string) => failing(rm(dirname(fileOf(id)), { recursive: true, force: true }))

  return {
    async create(id, { signal }) {
      signal.throwIfAborted()
      const file = fileOf(id)
      await failing(mkdir(dirname(file), { recursive: true }))
      closeSoon(await failing(open(file, 'wx')))
    },

    async size(id, { signal }) {
      signal.throwIfAborted()
      return (await ifThere(stat(fileOf(id))))?.size
    },

    async append(id, offset, body, onStored, { signal }) {
      const file = await failing(open(fileOf(id), 'r+'))
      try {
        return await appendAll(file, offset, body, onStored, signal)
      } catch (error) {
        if (error instanceof NotSynced) await end(id)
        throw error
      } finally {
        closeSoon(file)
      }
    },

    hash: threads && ((id, algorithm, withLeaves) => threads.follow({ path: fileOf(id), algorithm, withLeaves })),

    async read(id, range, { signal }) {
      signal.throwIfAborted()
      const file = await failing(open(fileOf(id), 'r'))
      const { start, end } = range ?? { start: 0, end: (await file.stat()).size - 1 }
      return fileStream(file, start, end, uploadKey(id, 0))
    },

    async truncate(id, size, { signal }) {
      signal.throwIfAborted()
      const file = await failing(open(fileOf(id), 'r+'))
      try {
        await failing(file.truncate(size))
      } finally {
        await file.close()
      }
    },

    async publish(id, key, sizeBytes, { signal }) {
      signal.throwIfAborted()
      const staged = fileOf(id)
      // What is left of the session then is at most an empty folder.
      const endSession = () => rmdir(dirname(staged)).catch(() => undefined)
      try {
        await failing(durable.moveInto(syncWhole(staged, sizeBytes, id), join(root, key), endSession))
      } catch (error) {
        if (error instanceof NotSynced) await end(id)
        throw error
      }
    },

    async remove(id, { signal }) {
      signal.throwIfAborted()
      await end(id)
    },

    async *list({ signal }) {
      const opening = opendir(join(root, uploadsPrefix))
      const folder = await ifThere(orAborted(signal, opening)).catch((error: unknown) => {
        // It may open when nobody waits for it any more.
        opening.then(
          (late) => late.close(),
          () => {},
        )
        throw error
      })
      if (folder === undefined) return
      try {
        for (;;) {
          const entry = await failing(orAborted(signal, folder.read()))
          if (entry === null) return
          if (entry.isDirectory()) yield entry.name
        }
      } finally {
        // Not waited for: it would wait for a read that hangs.
        folder.close().catch(() => {})
      }
    },

    async touchedMs(id, { signal }) {
      // The file for bytes that were added; the folder where a crash left it without one.
      const times = await Promise.all(
        [fileOf(id), dirname(fileOf(id))].map(async (path) => (await ifThere(orAborted(signal, stat(path))))?.mtimeMs),
      )
      const known = times.filter((time) => time !== undefined)
      return known.length === 0 ? undefined : Math.max(...known)
    },
  }
}

/** Rejects with `takenOver` where the file has not as many bytes. @returns the file */
async function syncWhole(file: string, sizeBytes: number, id: string): Promise<string> {
  const handle = await failing(open(file, 'r+'))
  try {
    const [{ size }] = await Promise.all([failing(handle.stat()), synced(handle.sync())])
    if (size !== sizeBytes) throw takenOver(id)
    return file
  } finally {
    closeSoon(handle)
  }
}

/**
 * Writes a stream from `offset` on and returns the new size. While one batch is written the next is read; what had
 * arrived when the stream broke is written before the error goes on.
 */
async function appendAll(
  file: FileHandle,
  offset: number,
  body: ReadableStream<Uint8Array>,
  onStored: (chunk: Uint8Array) => unknown,
  signal: AbortSignal,
): Promise<number> {
  let size = offset
  let batch: Uint8Array[] = []
  let gathered = 0
  let writing: Promise<void> = Promise.resolve()
  let syncing: Promise<void> | undefined
  let syncedTo = offset

  async function write(chunks: Uint8Array[], length: number): Promise<void> {
    const { bytesWritten } = await failing(file.writev(chunks, size))
    if (bytesWritten !== length)
      throw asUpstream(Object.assign(new Error('the disk took only a part'), { syscall: 'writev' }))
    size += length
    for (const chunk of chunks) {
      await onStored(chunk)
      freeChunk(body, chunk)
    }
    if (size - syncedTo >= syncEveryBytes && syncing === undefined) {
      syncing = sync(size)
      // Its failure is seen at the end; until then nobody else waits for it.
      syncing.catch(() => {})
    }
  }

  /** One at a time, beside the writing. */
  async function sync(to: number): Promise<void> {
    await synced(file.datasync())
    syncedTo = to
    syncing = undefined
  }

  async function flush(): Promise<void> {
    await writing
    if (gathered > 0) {
      writing = write(batch, gathered)
      // Its failure is seen at the next flush; until then nobody else waits for it.
      writing.catch(() => {})
    }
    batch = []
    gathered = 0
  }

  const reader = body.getReader()
  const stop = () => void reader.cancel(signal.reason).catch(() => {})
  signal.addEventListener('abort', stop, { once: true })
  try {
    signal.throwIfAborted()
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      batch.push(value)
      gathered += value.byteLength
      if (gathered >= batchBytes || batch.length >= batchChunks) await flush()
    }
    signal.throwIfAborted()
  } finally {
    signal.removeEventListener('abort', stop)
    await flush()
    await writing
    await syncing
    reader.releaseLock()
  }
  return size
}

/**
 * The disk may have lost what it had taken before, and tells of it only once: another sync would succeed, so an upload
 * must not go on after this.
 */
class NotSynced extends UpstreamError {}

async function synced(work: Promise<void>): Promise<void> {
  try {
    await work
  } catch (error) {
    throw new NotSynced('bucket', `the disk did not keep an upload: ${String(error)}`, { cause: error })
  }
}

/** Undefined where there is no such file or folder. */
async function ifThere<Result>(work: Promise<Result>): Promise<Result | undefined> {
  try {
    return await work
  } catch (error) {
    if (isMissing(error)) return undefined
    throw asUpstream(error)
  }
}

async function failing<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work
  } catch (error) {
    throw asUpstream(error)
  }
}
