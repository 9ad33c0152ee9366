// Work that is done again and again while a process runs.

import type { Clock } from '../ports/clock.ts'

export interface Repeating {
  /** Begins nothing more, and resolves once nothing goes on. */
  readonly stop: () => Promise<void>
}

/**
 * Runs `work`, again and again until it is stopped.
 * @param everyMs from the end of one run to the beginning of the next
 * @param first when the first run begins
 * @param work must not reject: nobody hears of it. Its signal is aborted by `stop`
 */
export function startRepeating(
  clock: Clock,
  { everyMs, first }: { readonly everyMs: number; readonly first: 'now' | 'later' },
  work: (stopped: AbortSignal) => Promise<void>,
): Repeating {
  const stopped = new AbortController()
  let cancel = () => {}
  let working = first === 'now' ? run() : Promise.resolve()
  if (first === 'later') runLater()

  async function run(): Promise<void> {
    await work(stopped.signal)
    if (!stopped.signal.aborted) runLater()
  }

  function runLater(): void {
    cancel = clock.after(everyMs, () => {
      working = run()
    })
  }

  return {
    async stop() {
      stopped.abort(new Error('this process stops'))
      cancel()
      await working
    },
  }
}
