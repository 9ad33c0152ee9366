// Accounts in a folder: a file each, for its owner alone.

import { readdir, readFile, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { orAborted } from '../../shared/concurrency/or-aborted.ts'
import { isMissing } from '../bucket/durable-folder.ts'
import { syncFolder } from '../bucket/synced-files.ts'
import { replaceFile, writeNewFile } from './private-file.ts'
import type { Records } from './records.ts'

/** @param folder need not be there; it is made with the first record */
export function createFolderRecords(folder: string): Records {
  const fileOf = (name: string) => join(folder, name)
  return {
    where: fileOf,

    read: (name, { signal }) => orMissing(signal, readFile(fileOf(name), 'utf8')),

    async create(name, text, { signal }) {
      signal.throwIfAborted()
      return orAborted(signal, writeNewFile(fileOf(name), text))
    },

    async replace(name, text, { signal }) {
      signal.throwIfAborted()
      await orAborted(signal, replaceFile(fileOf(name), text))
    },

    async remove(name, { signal }) {
      signal.throwIfAborted()
      return (await orMissing(signal, removeFile(fileOf(name)))) ?? false
    },

    async names(inFolder, { signal }) {
      const entries = (await orMissing(signal, readdir(join(folder, inFolder), { withFileTypes: true }))) ?? []
      return entries.filter((entry) => entry.isFile()).map(({ name }) => name)
    },
  }
}

async function removeFile(file: string): Promise<true> {
  await unlink(file)
  await syncFolder(dirname(file))
  return true
}

async function orMissing<Result>(signal: AbortSignal, work: Promise<Result>): Promise<Result | undefined> {
  try {
    return await orAborted(signal, work)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}
