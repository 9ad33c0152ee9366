// What every process of Mirrorball does the same way: start, say that it is ready, stop when it is told to.

import type { Config } from './config.ts'

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
 * starts, it stops as soon as it has started. A second signal ends it at once.
 */
export async function runService(start: (config: Config) => Promise<Running>, config: Config): Promise<void> {
  const told = Promise.withResolvers<void>()
  let stopping = false
  const stop = () => {
    if (stopping) process.exit(1)
    stopping = true
    told.resolve()
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  // The channel to the supervisor: it closes when the supervisor is gone, however it ended.
  const supervised = process.channel !== undefined
  const supervisorGone = () => told.resolve()
  process.on('disconnect', supervisorGone)
  if (supervised && !process.connected) supervisorGone()

  const running = await start(config)
  if (process.connected)
    process.send?.({ kind: 'ready', url: running.url } satisfies ReadyMessage, undefined, undefined, () => {})
  await told.promise
  await running.stop()
  if (process.connected) process.disconnect()
}
