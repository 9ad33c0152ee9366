// What verbs that work on the bucket and end do the same way: the bucket, what to say while they work, and an end when
// they are told to stop.

import { stat } from 'node:fs/promises'
import type { AccessRules } from '../../shared/auth/access.ts'
import type { Bucket, Wait } from '../../shared/ports/bucket.ts'
import type { Log } from '../../shared/ports/log.ts'
import type { Uploads } from '../../shared/ports/uploads.ts'
import { isMissing } from '../bucket/durable-folder.ts'
import { accessRules, s3Access } from '../config/addresses.ts'
import type { Config } from '../config/schema.ts'
import { bucketPlace, openBucket } from '../compose/open-bucket.ts'
import { createProgress, type Progress } from './progress.ts'
import { systemClock } from '../compose/system-ports.ts'
import { untilStopped } from './until-stopped.ts'

export interface VerbRun {
  readonly config: Config
  /** Where the bucket is, for people. */
  readonly place: string
  readonly bucket: Bucket
  readonly uploads: Uploads
  /** As at the origin. */
  readonly access: AccessRules
  readonly log: Log
  readonly progress: Progress
  /** Aborted by SIGINT and SIGTERM. */
  readonly wait: Wait
}

export interface VerbNeeds {
  /** Whether it is refused where the registry is read-only. */
  readonly writes: boolean
  /** Whether a bucket that is not there yet is made. */
  readonly makesBucket?: boolean
}

/** Rejects with an Error that says what to do, and as the work does. */
export async function runVerb<Result>(
  config: Config,
  { writes, makesBucket = false }: VerbNeeds,
  work: (run: VerbRun) => Promise<Result>,
): Promise<Result> {
  const place = bucketPlace(config)
  if (writes) refuseReadOnly(config)
  if (!makesBucket && s3Access(config) === undefined && !(await isFolder(place)))
    throw new Error(
      `there is no bucket at ${place}; name the data folder by --data-dir, or the bucket by --bucket-folder`,
    )
  const access = accessRules(config)
  const progress = createProgress(process.stderr, systemClock)
  try {
    return await untilStopped(async (wait) => {
      const { bucket, uploads } = await openBucket(config, verbLog)
      return work({ config, place, bucket, uploads, access, log: verbLog, progress, wait })
    })
  } finally {
    progress.end()
  }
}

/** @throws Error where the registry is read-only */
export function refuseReadOnly({ access }: Config): void {
  if (access.read_only) throw new Error('access.read_only is set, so nothing may be changed; set it to false for this')
}

/** Faults for the person at the terminal; the result alone is on standard output. */
export const verbLog: Log = {
  info() {},
  warn: say,
  error: say,
}

function say(message: string, fields: object, error?: unknown): void {
  const parts = [message, ...Object.values(fields).map(String), error instanceof Error ? error.message : undefined]
  process.stderr.write(`mirrorball: ${parts.filter((part) => part !== undefined).join(': ')}\n`)
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}
