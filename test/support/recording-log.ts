// A log that keeps what it is told.

import type { Log, LogFields } from '../../shared/ports/log.ts'

export interface LoggedLine {
  readonly level: 'info' | 'warn' | 'error'
  readonly message: string
  readonly fields: LogFields
  readonly error: unknown
}

export interface RecordingLog extends Log {
  readonly lines: readonly LoggedLine[]
}

export function createRecordingLog(): RecordingLog {
  const lines: LoggedLine[] = []
  const keep =
    (level: LoggedLine['level']) =>
    (message: string, fields: LogFields = {}, error?: unknown) =>
      void lines.push({ level, message, fields, error })
  return { lines, info: keep('info'), warn: keep('warn'), error: keep('error') }
}
