// The bucket as a folder: a key is a path. Safe against power cuts; reading streams with flat memory.

import { mkdir, open, readdir, rm, stat } from 'node:fs/promises'
import type { Dirent } from 'node:fs'
import { join, resolve } from 'node:path'
import { pMapIterable } from 'p-map'
import type { Key } from '../../shared/layout/keys.ts'
import type { Bucket, BucketReader, ListEntry } from '../../shared/ports/bucket.ts'
import { orAborted } from '../../shared/concurrency/or-aborted.ts'
import type { Random } from '../../shared/ports/random.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { createDurableFolder, isMissing } from './durable-folder.ts'
import { fileStream } from './file-stream.ts'
import { readSmallFile } from './read-small-file.ts'
import { writeSyncedFile } from './synced-files.ts'

/** Files on their way into the bucket. No key begins with a dot, so no listing and no key reaches it. */
export const temporaryFolder = '.tmp'

/** Folders of a listing that are looked into at once. */
const looksAtOnce = 16

/** Milliseconds after which a temporary file can only be left over from a crash: writing one takes a moment. */
const leftoverAfterMs = 3600_000

/** Reads a folder as a bucket; changes nothing in it, and one that is not there yet is an empty bucket. */
export function createFsBucketReader(deps: { folder: string }): BucketReader {
  const root = resolve(deps.folder)
  const pathOf = (key: Key) => join(root, key)

  return {
    async head(key, { signal }) {
      const found = await orMissing(signal, stat(pathOf(key)))
      return found?.isFile() ? found.size : undefined
    },

    async read(key, limitBytes, { signal }) {
      return orMissing(signal, readSmallFile(pathOf(key), limitBytes))
    },

    async open(key, range, { signal }) {
      const opening = open(pathOf(key), 'r')
      try {
        const file = await orMissing(signal, opening)
        if (file === undefined) return undefined
        const { size } = await orAborted(signal, file.stat())
        const { start, end } = range ?? { start: 0, end: size - 1 }
        return { sizeBytes: size, body: fileStream(file, start, end, key) }
      } catch (error) {
        // Also when the file opens only after nobody waits for it any more.
        opening.then(
          (file) => file.close(),
          () => {},
        )
        throw asUpstream(error)
      }
    },

    async *list(prefix, after, { signal }) {
      const found = (await orMissing(signal, readdir(join(root, prefix), { withFileTypes: true }))) ?? []
      const entries = found
        .filter((entry) => !entry.name.startsWith('.') && (entry.isFile() || entry.isDirectory()))
        .map((entry): ListEntry => {
          const path = prefix + entry.name
          return entry.isFile() ? { path, kind: 'object' } : { path: `${path}/`, kind: 'folder' }
        })
      const sorted = entries.filter(({ path }) => path > after).sort((a, b) => (a.path < b.path ? -1 : 1))
      const isThere = async (entry: ListEntry) =>
        entry.kind === 'object' || (await holdsFile(join(root, entry.path), signal)) ? entry : undefined
      for await (const entry of pMapIterable(sorted, isThere, { concurrency: looksAtOnce })) {
        if (entry !== undefined) yield entry
      }
    },
  }
}

/** Opens a folder as a bucket to write too, and makes it where it is missing. Processes may share it. */
export async function createFsBucket(deps: { folder: string; random: Random }): Promise<Bucket> {
  const root = resolve(deps.folder)
  const temporary = join(root, temporaryFolder)
  await mkdir(temporary, { recursive: true })
  await removeLeftovers(temporary)
  const durable = createDurableFolder(root)

  return {
    ...createFsBucketReader(deps),

    async write(key, bytes, { signal }) {
      signal.throwIfAborted()
      await orMissing(
        signal,
        writeDurably(bytes, (synced) => durable.moveInto(synced, join(root, key))),
      )
    },

    async create(key, bytes, { signal }) {
      signal.throwIfAborted()
      const created = writeDurably(bytes, async (synced) => {
        const isNew = await durable.linkInto(synced, join(root, key))
        await rm(await synced)
        return isNew
      })
      return orAborted(signal, created)
    },

    async remove(key, { signal }) {
      signal.throwIfAborted()
      await orMissing(signal, durable.remove(join(root, key)))
    },
  }

  /**
   * Whole or nothing, so that it may go on unseen when nobody waits any more.
   * @param place takes a file, once it is synced, to where it belongs
   */
  async function writeDurably<Result>(
    bytes: Uint8Array,
    place: (synced: Promise<string>) => Promise<Result>,
  ): Promise<Result> {
    const file = join(temporary, deps.random.uuid())
    const written = writeSyncedFile(file, bytes)
    try {
      return await place(written.then(() => file))
    } catch (error) {
      await written.catch(() => {})
      await rm(file, { force: true })
      // Not to be taken for an object that is missing.
      throw asUpstream(error)
    }
  }
}

/** A folder without a file anywhere in it does not exist for a bucket; a crash between two steps can leave one. */
async function holdsFile(folder: string, signal: AbortSignal): Promise<boolean> {
  const entries: Dirent[] = (await orMissing(signal, readdir(folder, { withFileTypes: true }))) ?? []
  if (entries.some((entry) => entry.isFile())) return true
  for (const entry of entries) if (await holdsFile(join(folder, entry.name), signal)) return true
  return false
}

async function removeLeftovers(temporary: string): Promise<void> {
  for (const name of await readdir(temporary)) {
    const file = join(temporary, name)
    const found = await stat(file).catch(() => undefined)
    if (found !== undefined && Date.now() - found.mtimeMs > leftoverAfterMs) await rm(file, { force: true })
  }
}

/** The file system takes no signal, and a disk can hang: we stop waiting then. */
async function orMissing<Result>(signal: AbortSignal, work: Promise<Result>): Promise<Result | undefined> {
  try {
    return await orAborted(signal, work)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw asUpstream(error)
  }
}

/** What the disk refuses is a fault of the bucket, not of the request: full, read-only, broken. */
export function asUpstream(error: unknown): unknown {
  return error instanceof Error && 'syscall' in error
    ? new UpstreamError('bucket', error.message, { cause: error })
    : error
}
