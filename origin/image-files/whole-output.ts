// What is written for people: whole under its name, or not there at all. Written beside its place, synced, and renamed.

import { randomUUID } from 'node:crypto'
import { mkdir, open, readdir, rename, rm, rmdir, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Wait } from '../../shared/ports/bucket.ts'
import { isMissing } from '../bucket/durable-folder.ts'
import { syncFolder } from '../bucket/synced-files.ts'

/** A file that is new, or with `force` takes the place of another. Rejects with an Error that says what to do. */
export async function writeWholeFile(
  path: string,
  bytes: AsyncIterable<Uint8Array>,
  { force }: { readonly force: boolean },
  wait: Wait,
): Promise<void> {
  const found = await kindAt(path)
  if (found === 'folder') throw new Error(`${path} is a folder; name a file`)
  if (found === 'file' && !force) throw new Error(`${path} is there already; --force replaces it`)
  await beside(path, async (temporary) => {
    await writeSynced(temporary, bytes, wait)
    await rename(temporary, resolve(path))
  })
}

export interface FolderEntry {
  /** Path inside the folder. */
  readonly path: string
  readonly bytes: AsyncIterable<Uint8Array>
}

/** A folder that is new, or was empty. Rejects with an Error that says what to do. */
export async function writeWholeFolder(path: string, entries: AsyncIterable<FolderEntry>, wait: Wait): Promise<void> {
  const found = await kindAt(path)
  if (found === 'file') throw new Error(`${path} is a file; name a folder, or a file that ends in .car or .tar`)
  if (found === 'folder' && (await readdir(path)).length > 0)
    throw new Error(`${path} is not empty; name another folder, or remove it`)
  await beside(path, async (temporary) => {
    const folders = new Set([temporary])
    await mkdir(temporary)
    for await (const entry of entries) {
      const file = join(temporary, entry.path)
      for (let folder = dirname(file); folder !== temporary; folder = dirname(folder)) folders.add(folder)
      await mkdir(dirname(file), { recursive: true })
      await writeSynced(file, entry.bytes, wait)
    }
    for (const folder of folders) await syncFolder(folder)
    if (found === 'folder') await rmdir(path)
    await rename(temporary, resolve(path))
  })
}

/** Works at a temporary place in the same folder, of which nothing stays where the work fails. */
async function beside(path: string, work: (temporary: string) => Promise<void>): Promise<void> {
  const folder = dirname(resolve(path))
  if ((await kindAt(folder)) !== 'folder') throw new Error(`there is no folder ${folder}; make it first`)
  const temporary = join(folder, `.${basename(path)}.${randomUUID()}.part`)
  try {
    await work(temporary)
  } catch (error) {
    await rm(temporary, { recursive: true, force: true })
    throw error
  }
  await syncFolder(folder)
}

async function writeSynced(file: string, bytes: AsyncIterable<Uint8Array>, { signal }: Wait): Promise<void> {
  // Made before anything can fail: a stream that makes it might do so after it was removed.
  const handle = await open(file, 'wx')
  await pipeline(bytes, handle.createWriteStream({ flush: true }), { signal })
}

async function kindAt(path: string): Promise<'file' | 'folder' | undefined> {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'file'
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}
