// Tells edges anew where what they were told is gone, as after somebody emptied the bucket: an edge without rules serves
// nobody. What is there is left alone, since another origin may have written it.

import { accessKey } from '../../shared/layout/keys.ts'
import type { BucketReader } from '../../shared/ports/bucket.ts'
import type { Clock } from '../../shared/ports/clock.ts'
import { deadline } from '../../shared/concurrency/deadline.ts'
import type { Log } from '../../shared/ports/log.ts'
import { orAborted } from '../../shared/concurrency/or-aborted.ts'
import { type Repeating, startRepeating } from '../../shared/concurrency/repeat.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'

/** Milliseconds from one look to the next. */
const lookEveryMs = 60_000

/** Milliseconds for one look. */
const lookTimeoutMs = 30_000

/** @param publish as at the start */
export function startRepublishing(deps: {
  readonly bucket: BucketReader
  readonly publish: () => Promise<void>
  readonly clock: Clock
  readonly log: Log
}): Repeating {
  const { bucket, publish, clock, log } = deps
  return startRepeating(clock, { everyMs: lookEveryMs, first: 'later' }, async (stopped) => {
    const slow = () => new UpstreamError('bucket', `${accessKey}: no answer within ${lookTimeoutMs} ms`)
    const limit = deadline(clock, lookTimeoutMs, stopped, slow)
    try {
      const size = await orAborted(limit.signal, bucket.head(accessKey, limit))
      if (size === undefined) await publish()
    } catch (error) {
      if (!stopped.aborted) log.warn('could not look whether edges have the access rules', {}, error)
    } finally {
      limit.clear()
    }
  })
}
