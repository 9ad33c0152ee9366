// What every process of Mirrorball does the same way: start, say that it is ready, stop when it is told to.

import type { Config } from '../config/schema.ts'

/** A part that runs. */
export interface Running {
  /** The address that clients use. */
  readonly url: string
  /** Ends it: requests in flight end first. */
  stop(): Promise<void>
}

/** What a process tells the supervisor that started it. */
export type ReadyMessage = { readonly kind: 'ready'; readonly url: string }

/**
 * Runs one part until SIGTERM, SIGINT, or until the supervisor that started this process is gone. Told so while it
 * starts, it stops as soon as it has started, or ends when that takes longer than draining may. A second signal ends it
 * at once.
 */
export async function runService(start: (config: Config) => Promise<Running>, config: Config): Promise<void> {
  const told = Promise.withResolvers<void>()
  let running: Running | undefined
  let stopping = false
  const stop = () => {
    if (stopping) return
    stopping = true
    told.resolve()
    if (running === undefined) setTimeout(() => process.exit(1), config.http.drain_ms).unref()
  }
  const onSignal = () => (stopping ? process.exit(1) : stop())
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  // The channel to the supervisor closes when the supervisor is gone, however it ended.
  process.on('disconnect', stop)
  if (process.send !== undefined && !process.connected) stop()
  try {
    running = await start(config)
    if (process.connected)
      process.send?.({ kind: 'ready', url: running.url } satisfies ReadyMessage, ignoreClosedChannel)
    await told.promise
    await running.stop()
  } finally {
    // An open channel would keep this process alive, with nothing left to do.
    if (process.connected) process.disconnect()
  }
}

/** The supervisor may go while we tell it that we are ready; `disconnect` says so. */
function ignoreClosedChannel(): void {}
