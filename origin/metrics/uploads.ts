// Uploads: how many sessions are open, and what became of the others.

import { OciError, UpstreamError } from '../../shared/protocol/errors.ts'
import type { PushBlob } from '../../shared/registry/push-blob.ts'

/** `refused`: requests, of which a session may have several; its bytes stay as they were. */
export const uploadEvents = ['opened', 'finished', 'cancelled', 'expired', 'refused', 'failed', 'broken'] as const

export type UploadEvent = (typeof uploadEvents)[number]

export interface CountedUploads {
  readonly counts: Readonly<Record<UploadEvent, number>>
  /** Sessions that are open, as far as this process knows: as last counted, and what happened since. */
  open(): number
  /** They were counted on disk. */
  readonly found: (sessions: number) => void
  of(pushBlob: PushBlob): PushBlob
}

export function countUploads(): CountedUploads {
  const counts: Record<UploadEvent, number> = {
    opened: 0,
    finished: 0,
    cancelled: 0,
    expired: 0,
    refused: 0,
    failed: 0,
    broken: 0,
  }
  let openSessions = 0

  function failed(error: unknown): void {
    counts[error instanceof OciError ? 'refused' : error instanceof UpstreamError ? 'failed' : 'broken'] += 1
  }

  async function counted<Result>(work: Promise<Result>, done: (result: Result) => void): Promise<Result> {
    try {
      const result = await work
      done(result)
      return result
    } catch (error) {
      failed(error)
      throw error
    }
  }

  const ended = (event: 'finished' | 'cancelled' | 'expired') => () => {
    counts[event] += 1
    openSessions = Math.max(0, openSessions - 1)
  }

  return {
    counts,
    open: () => openSessions,
    found: (sessions) => (openSessions = sessions),
    of: (pushBlob) => ({
      status: (...args) => pushBlob.status(...args),
      start: (...args) =>
        counted(pushBlob.start(...args), () => {
          counts.opened += 1
          openSessions += 1
        }),
      append: (...args) => counted(pushBlob.append(...args), () => {}),
      finish: (...args) => counted(pushBlob.finish(...args), ended('finished')),
      whole: (...args) =>
        counted(pushBlob.whole(...args), () => {
          counts.opened += 1
          counts.finished += 1
        }),
      cancel: (...args) => counted(pushBlob.cancel(...args), ended('cancelled')),
      async expire(...args) {
        const became = await pushBlob.expire(...args)
        if (became === 'removed') ended('expired')()
        return became
      },
    }),
  }
}
