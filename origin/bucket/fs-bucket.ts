// The bucket as a folder: a key is a path. Safe against power cuts; reading streams with flat memory.

import { mkdir, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import type { Dirent } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Key } from '../../shared/layout/keys.ts'
import type { Bucket, ListEntry } from '../../shared/ports/bucket.ts'
import type { Random } from '../../shared/ports/random.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { createDurableFolder, isMissing } from './durable-folder.ts'
import { fileStream } from './file-stream.ts'

/** Files on their way into the bucket. No key begins with a dot, so no listing and no key reaches it. */
const temporaryFolder = '.tmp'

/** Milliseconds after which a temporary file can only be left over from a crash: writing one takes a moment. */
const leftoverAfterMs = 3600_000

/** Opens a folder as a bucket and makes it where it is missing. Processes may share it. */
export async function createFsBucket(deps: { folder: string; random: Random }): Promise<Bucket> {
  const root = resolve(deps.folder)
  const temporary = join(root, temporaryFolder)
  await mkdir(temporary, { recursive: true })
  await removeLeftovers(temporary)
  const durable = createDurableFolder(root)
  const pathOf = (key: Key) => join(root, key)

  return {
    async head(key, { signal }) {
      signal.throwIfAborted()
      const found = await orMissing(stat(pathOf(key)))
      return found?.isFile() ? found.size : undefined
    },

    async read(key, limitBytes, { signal }) {
      signal.throwIfAborted()
      const path = pathOf(key)
      const bytes = await orMissing(readFile(path, { signal }))
      if (bytes !== undefined && bytes.byteLength > limitBytes)
        throw new UpstreamError('bucket', `${key} has more than ${limitBytes} bytes`)
      return bytes
    },

    async open(key, range, { signal }) {
      signal.throwIfAborted()
      const file = await orMissing(open(pathOf(key), 'r'))
      if (file === undefined) return undefined
      try {
        const { size } = await file.stat()
        const { start, end } = range ?? { start: 0, end: size - 1 }
        return { sizeBytes: size, body: fileStream(file, start, end) }
      } catch (error) {
        await file.close()
        throw asUpstream(error)
      }
    },

    async *list(prefix, after, { signal }) {
      signal.throwIfAborted()
      const found = (await orMissing(readdir(join(root, prefix), { withFileTypes: true }))) ?? []
      const entries = found
        .filter((entry) => !entry.name.startsWith('.') && (entry.isFile() || entry.isDirectory()))
        .map((entry): ListEntry => {
          const path = prefix + entry.name
          return entry.isFile() ? { path, kind: 'object' } : { path: `${path}/`, kind: 'folder' }
        })
      for (const entry of entries.filter(({ path }) => path > after).sort((a, b) => (a.path < b.path ? -1 : 1))) {
        signal.throwIfAborted()
        if (entry.kind === 'object' || (await holdsFile(join(root, entry.path)))) yield entry
      }
    },

    async write(key, bytes, { signal }) {
      signal.throwIfAborted()
      const file = join(temporary, deps.random.uuid())
      try {
        await writeFile(file, bytes, { flag: 'wx', flush: true })
        await durable.moveInto(file, pathOf(key))
      } catch (error) {
        await rm(file, { force: true })
        throw asUpstream(error)
      }
    },
  }
}

/** A folder without a file anywhere in it does not exist for a bucket; a crash between two steps can leave one. */
async function holdsFile(folder: string): Promise<boolean> {
  const entries: Dirent[] = (await orMissing(readdir(folder, { withFileTypes: true }))) ?? []
  if (entries.some((entry) => entry.isFile())) return true
  for (const entry of entries) if (await holdsFile(join(folder, entry.name))) return true
  return false
}

async function removeLeftovers(temporary: string): Promise<void> {
  for (const name of await readdir(temporary)) {
    const file = join(temporary, name)
    const found = await orMissing(stat(file))
    if (found !== undefined && Date.now() - found.mtimeMs > leftoverAfterMs) await rm(file, { force: true })
  }
}

async function orMissing<Result>(work: Promise<Result>): Promise<Result | undefined> {
  try {
    return await work
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
