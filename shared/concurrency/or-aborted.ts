// Waiting with a signal for work that takes none.

/**
 * The work's result, or the signal's reason as a rejection as soon as it is aborted. The work itself goes on unseen, so
 * only use this for what may: reads, and writes that are whole or nothing.
 */
export async function orAborted<Result>(signal: AbortSignal, work: Promise<Result>): Promise<Result> {
  if (signal.aborted) {
    work.catch(() => {}) // Nobody will hear of it: that must not count as an unhandled rejection.
    throw signal.reason
  }
  const aborted = Promise.withResolvers<never>()
  const onAbort = () => aborted.reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([work, aborted.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
