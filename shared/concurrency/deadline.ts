// Ends to waiting, by a clock that is handed in.

import type { Clock } from '../ports/clock.ts'
import { orAborted } from './or-aborted.ts'

/** A signal with a deadline, for one call that waits. */
export interface Deadline {
  readonly signal: AbortSignal
  /** Begins the time again, for work that may be long but must keep moving. */
  extend(): void
  /** Takes the deadline away; what it was for is done. */
  clear(): void
}

/** Aborts with `reason()` after `ms`, or with the parent's reason when the parent is aborted. */
export function deadline(clock: Clock, ms: number, parent: AbortSignal | undefined, reason: () => Error): Deadline {
  const controller = new AbortController()
  const expire = () => controller.abort(reason())
  let cancel = clock.after(ms, expire)
  let cleared = false
  const onParentAbort = () => controller.abort(parent?.reason)
  if (parent?.aborted) onParentAbort()
  else parent?.addEventListener('abort', onParentAbort, { once: true })
  return {
    signal: controller.signal,
    extend() {
      cancel()
      if (!controller.signal.aborted && !cleared) cancel = clock.after(ms, expire)
    },
    clear() {
      cleared = true
      cancel()
      parent?.removeEventListener('abort', onParentAbort)
    },
  }
}

/** Resolves after `ms`; rejects with the signal's reason once it is aborted. */
export async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  const over = Promise.withResolvers<void>()
  const cancel = clock.after(ms, over.resolve)
  try {
    await orAborted(signal, over.promise)
  } finally {
    cancel()
  }
}
