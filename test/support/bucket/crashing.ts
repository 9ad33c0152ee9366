// Crashes: wraps what writes, counts each step as two moments, before and after it, and at the chosen moment throws;
// from then on nothing works any more, as in a process that is gone.

import type { Bucket } from '../../../shared/ports/bucket.ts'
import type { Uploads } from '../../../shared/ports/uploads.ts'

export class Crash extends Error {
  override readonly name = 'Crash'
}

export interface CrashPlan {
  /** Names of the moments that have passed, e.g. `before write docker/…/link`. */
  readonly moments: string[]
  readonly bucket: Bucket
  readonly uploads: Uploads
}

/** @param crashAt number of the moment at which everything ends; undefined: never */
export function crashing(bucket: Bucket, uploads: Uploads, crashAt: number | undefined): CrashPlan {
  const moments: string[] = []
  let crashed = false

  function pass(moment: string): void {
    alive()
    moments.push(moment)
    if (moments.length - 1 === crashAt) crashed = true
    alive()
  }

  function alive(): void {
    if (crashed) throw new Crash('the process is gone')
  }

  async function step<Result>(what: string, work: () => Promise<Result>): Promise<Result> {
    pass(`before ${what}`)
    const result = await work()
    pass(`after ${what}`)
    return result
  }

  async function read<Result>(work: () => Promise<Result>): Promise<Result> {
    alive()
    return work()
  }

  return {
    moments,
    bucket: {
      head: (...args) => read(() => bucket.head(...args)),
      read: (...args) => read(() => bucket.read(...args)),
      open: (...args) => read(() => bucket.open(...args)),
      list: (...args) => bucket.list(...args),
      remove: (key, ...rest) => step(`remove ${key}`, () => bucket.remove(key, ...rest)),
      create: (key, ...rest) => step(`create ${key}`, () => bucket.create(key, ...rest)),
      write: (key, ...rest) => step(`write ${key}`, () => bucket.write(key, ...rest)),
    },
    uploads: {
      hash: uploads.hash,
      size: (...args) => read(() => uploads.size(...args)),
      read: (...args) => read(() => uploads.read(...args)),
      list: (...args) => uploads.list(...args),
      touchedMs: (...args) => read(() => uploads.touchedMs(...args)),
      create: (...args) => step('create', () => uploads.create(...args)),
      append: (...args) => step('append', () => uploads.append(...args)),
      truncate: (...args) => step('truncate', () => uploads.truncate(...args)),
      publish: (id, key, ...rest) => step(`publish ${key}`, () => uploads.publish(id, key, ...rest)),
      remove: (...args) => step('remove', () => uploads.remove(...args)),
    },
  }
}
