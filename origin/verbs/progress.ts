// How far long work is, on one line of a terminal that is written over. Where nobody looks, nothing is written.

import type { Clock } from '../../shared/ports/clock.ts'

export interface Progress {
  /** How far it is now; may be called as often as one likes. */
  show(line: string): void
  /** Wipes the line. */
  end(): void
}

export interface Terminal {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

/** Milliseconds between two lines, and before the first: what is over sooner shows none. */
const everyMs = 500

const wipe = '\r\u001B[K'

export function createProgress(terminal: Terminal, clock: Clock): Progress {
  let line = ''
  let shown = false
  let cancel: (() => void) | undefined

  function write(): void {
    // One column less: a line that fills the last one wraps on some terminals.
    terminal.write(`${wipe}${line.slice(0, (terminal.columns ?? 80) - 1)}`)
    shown = true
    cancel = undefined
  }

  return {
    show(next) {
      line = next
      if (terminal.isTTY === true) cancel ??= clock.after(everyMs, write)
    },
    end() {
      cancel?.()
      cancel = undefined
      if (shown) terminal.write(wipe)
      shown = false
    },
  }
}

/** A size for people. */
export function mebibytes(bytes: number): string {
  return `${(bytes / 1024 ** 2).toFixed(1)} MiB`
}
