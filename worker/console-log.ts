// The log of a worker: JSON lines on the console, which the platform collects.

import { type Log, type LogFields, type LogLevel, logLevels } from '../shared/ports/log.ts'

/** @param level least that is logged */
export function createConsoleLog(level: LogLevel): Log {
  const logs = (wanted: LogLevel) => logLevels.indexOf(wanted) >= logLevels.indexOf(level)
  const line = (at: LogLevel, message: string, fields: LogFields = {}, error?: unknown) =>
    JSON.stringify({
      level: at,
      time: new Date().toISOString(),
      part: 'edge',
      ...fields,
      err: describe(error),
      msg: message,
    })
  return {
    info(message, fields) {
      if (logs('info')) console.log(line('info', message, fields))
    },
    warn(message, fields, error) {
      if (logs('warn')) console.warn(line('warn', message, fields, error))
    },
    error(message, fields, error) {
      if (logs('error')) console.error(line('error', message, fields, error))
    },
  }
}

function describe(error: unknown): string | undefined {
  if (error === undefined) return undefined
  if (!(error instanceof Error)) return JSON.stringify(error)
  const cause = error.cause === undefined ? '' : ` <- ${describe(error.cause)}`
  return `${error.stack ?? error.message}${cause}`
}
