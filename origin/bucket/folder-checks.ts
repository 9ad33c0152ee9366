// Whether the bucket's folder works: what `/readyz` asks where the bucket is one.

import { opendir, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Random } from '../../shared/ports/random.ts'
import type { ReadinessCheck } from '../../shared/ports/readiness.ts'
import { temporaryFolder } from './fs-bucket.ts'

/** The folder is there and can be listed. */
export function folderReadable(folder: string): ReadinessCheck {
  const root = resolve(folder)
  return {
    name: 'bucket_read',
    check: oneAtATime(async () => {
      const entries = await opendir(root)
      try {
        await entries.read()
      } finally {
        await entries.close()
      }
    }),
  }
}

/** A file can be made in it: also where the file system is mounted read-only, or full, that would show nowhere else. */
export function folderWritable(folder: string, random: Random): ReadinessCheck {
  const temporary = resolve(folder, temporaryFolder)
  return {
    name: 'bucket_write',
    check: oneAtATime(async () => {
      const file = join(temporary, random.uuid())
      try {
        await writeFile(file, 'x', { flag: 'wx' })
      } finally {
        await rm(file, { force: true })
      }
    }),
  }
}

/** A disk that hangs keeps a thread of Node's few for each call: while one hangs, the next joins it. */
function oneAtATime(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined
  return () => {
    running ??= work().finally(() => (running = undefined))
    return running
  }
}
