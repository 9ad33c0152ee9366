// Clock, chance and log of a real process.

import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import type { Clock } from '../../shared/ports/clock.ts'
import type { Log } from '../../shared/ports/log.ts'
import type { Random } from '../../shared/ports/random.ts'

export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms)
    return () => clearTimeout(timer)
  },
}

export const systemRandom: Random = { uuid: () => randomUUID() }

/** JSON lines on standard output. @param part the process's name, in every line */
export function createLog(part: string, level: string): Log {
  const logger = pino({
    level,
    base: { part },
    formatters: { level: (label) => ({ level: label }) },
    timestamp: pino.stdTimeFunctions.isoTime,
  })
  return {
    info: (message, fields = {}) => logger.info(fields, message),
    warn: (message, fields, error) => logger.warn({ ...fields, err: error }, message),
    error: (message, fields, error) => logger.error({ ...fields, err: error }, message),
  }
}
