// Work that ends when the person at the terminal says so.

import type { Wait } from '../../shared/ports/bucket.ts'

/** Runs the work with a signal that SIGINT and SIGTERM abort. */
export async function untilStopped<Result>(work: (wait: Wait) => Promise<Result>): Promise<Result> {
  const stopped = new AbortController()
  const stop = () => stopped.abort(new Error('stopped before it was done'))
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  try {
    return await work(stopped)
  } finally {
    process.off('SIGINT', stop)
    process.off('SIGTERM', stop)
  }
}
