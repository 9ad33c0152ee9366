// The log: one JSON object a line, whoever writes it. Never a secret, an Authorization or a signed URL among the fields.

/** From most to least; requests are `info`. */
export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const

export type LogLevel = (typeof logLevels)[number]

export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>

/** `error` is for the operator, stack and all. */
export interface Log {
  info(message: string, fields?: LogFields): void
  warn(message: string, fields: LogFields, error?: unknown): void
  error(message: string, fields: LogFields, error?: unknown): void
}
