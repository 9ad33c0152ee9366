// Tells edges anew where what they were told is gone, as after somebody emptied the bucket: an edge without rules serves
// nobody. What is there is left alone, since another origin may have written it.

import { accessKey } from '../../shared/layout/keys.ts'
import type { BucketReader } from '../../shared/ports/bucket.ts'
import { type Clock, deadline } from '../../shared/ports/clock.ts'
import type { Log } from '../../shared/ports/log.ts'
import { orAborted } from '../../shared/ports/or-aborted.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'

/** Milliseconds from one look to the next. */
const lookEveryMs = 60_000

/** Milliseconds for one look. */
const lookTimeoutMs = 30_000

export interface Republishing {
  /** Begins nothing more, and resolves once nothing goes on. */
  stop(): Promise<void>
}

/** @param publish as at the start */
export function startRepublishing(deps: {
  readonly bucket: BucketReader
  readonly publish: () => Promise<void>
  readonly clock: Clock
  readonly log: Log
}): Republishing {
  const { bucket, publish, clock, log } = deps
  const stopped = new AbortController()
  let looking: Promise<void> = Promise.resolve()
  let cancel = later()

  function later(): () => void {
    return clock.after(lookEveryMs, () => {
      looking = look()
    })
  }

  async function look(): Promise<void> {
    const slow = () => new UpstreamError('bucket', `${accessKey}: no answer within ${lookTimeoutMs} ms`)
    const limit = deadline(clock, lookTimeoutMs, stopped.signal, slow)
    try {
      const size = await orAborted(limit.signal, bucket.head(accessKey, limit))
      if (size === undefined) await publish()
    } catch (error) {
      if (!stopped.signal.aborted) log.warn('could not look whether edges have the access rules', {}, error)
    } finally {
      limit.clear()
    }
    if (!stopped.signal.aborted) cancel = later()
  }

  return {
    async stop() {
      stopped.abort(new Error('this process stops'))
      cancel()
      await looking
    },
  }
}
