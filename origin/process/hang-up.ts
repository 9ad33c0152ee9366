// SIGHUP, which asks a service to read its files again. Where it comes from a terminal that was closed it ends the
// process, as everywhere.

import { isatty } from 'node:tty'

/** Calls back at each such signal, until the returned function is called. */
export function onHangUp(callback: () => void): () => void {
  if (isatty(0)) return () => {}
  process.on('SIGHUP', callback)
  return () => void process.off('SIGHUP', callback)
}
