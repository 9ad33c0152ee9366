// Time, as a port: nothing in shared/ reads a clock or sets a timer of its own, so that all of it can be run under a
// simulated one.

import { orAborted } from './or-aborted.ts'

export interface Clock {
  /** Milliseconds since 1970-01-01T00:00Z. */
  now(): number

  /** Calls back once after `ms`, unless the returned function is called before. */
  after(ms: number, callback: () => void): () => void
}

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

/** Lets `ms` milliseconds go by. Rejects with the signal's reason once it is aborted. */
export async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  const over = Promise.withResolvers<void>()
  const cancel = clock.after(ms, over.resolve)
  try {
    await orAborted(signal, over.promise)
  } finally {
    cancel()
  }
}
