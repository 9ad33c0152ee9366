// Upload sessions that nobody goes on with end by time, so that what clients left behind does not fill the bucket.

import type { Clock } from '../ports/clock.ts'
import { deadline } from '../concurrency/deadline.ts'
import type { Log } from '../ports/log.ts'
import { type Repeating, startRepeating } from '../concurrency/repeat.ts'
import type { Uploads } from '../ports/uploads.ts'
import { OciError, UpstreamError } from '../protocol/errors.ts'
import type { PushBlob } from './push-blob.ts'
import { isUploadId } from './upload-id.ts'

/** Milliseconds from the end of one look at all sessions to the next. */
const lookEveryMs = 3600_000

/** Longest time in milliseconds for one session, and until the first is found. */
const stepTimeoutMs = 60_000

export interface UploadExpiryDeps {
  readonly uploads: Uploads
  readonly pushBlob: Pick<PushBlob, 'expire'>
  readonly clock: Clock
  readonly log: Log
  /** Milliseconds without a touch after which a session ends. */
  readonly expireAfterMs: number
  /** Is told after each look how many sessions are left. */
  readonly found?: ((sessions: number) => void) | undefined
}

/** Looks at all sessions now, and again and again. A look that fails is logged, and the next comes in its time. */
export function startUploadExpiry(deps: UploadExpiryDeps): Repeating {
  return startRepeating(deps.clock, { everyMs: lookEveryMs, first: 'now' }, (stopped) => expireUploads(deps, stopped))
}

/** Looks at every session once. Never rejects: it writes one line to the log, as it has nobody else to tell. */
async function expireUploads(deps: UploadExpiryDeps, stopped: AbortSignal): Promise<void> {
  const { uploads, pushBlob, clock, log } = deps
  const started = clock.now()
  const untouchedSinceMs = started - deps.expireAfterMs
  const slow = () => new UpstreamError('bucket', `no answer about uploads within ${stepTimeoutMs} ms`)
  const limit = deadline(clock, stepTimeoutMs, stopped, slow)
  const count = { removed: 0, kept: 0, failed: 0 }
  let failure: unknown
  try {
    for await (const id of uploads.list(limit)) {
      if (!isUploadId(id)) continue
      limit.extend()
      try {
        const touchedMs = await uploads.touchedMs(id, limit)
        if (touchedMs === undefined) continue
        const isOld = touchedMs <= untouchedSinceMs
        const became = isOld ? await pushBlob.expire(id, untouchedSinceMs, limit) : 'kept'
        if (became !== 'gone') count[became] += 1
      } catch (error) {
        limit.signal.throwIfAborted()
        // A request took the session over: it is in use.
        if (error instanceof OciError) {
          count.kept += 1
          continue
        }
        count.failed += 1
        failure ??= error
      }
    }
    deps.found?.(count.kept + count.failed)
  } catch (error) {
    if (stopped.aborted) return
    failure = error
  } finally {
    limit.clear()
  }
  const fields = { ...count, ms: clock.now() - started }
  if (failure === undefined) log.info('uploads expired', fields)
  else log.warn('uploads expired, not all', fields, failure)
}
