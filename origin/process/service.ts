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
 * Runs one part until SIGTERM, SIGINT, or until the supervisor that started this process is gone. A second signal ends
 * it at once.
 */
export async function runService(start: (config: Config) => Promise<Running>, config: Config): Promise<void> {
  const running = await start(config)
  const stopped = Promise.withResolvers<void>()
  let stopping = false
  const stop = () => {
    if (stopping) process.exit(1)
    stopping = true
    stopped.resolve(running.stop())
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  const supervised = process.send !== undefined
  if (supervised) {
    process.on('disconnect', stop)
    process.send?.({ kind: 'ready', url: running.url } satisfies ReadyMessage)
  }
  await stopped.promise
  if (supervised && process.connected) {
    process.off('disconnect', stop)
    process.disconnect()
  }
}
