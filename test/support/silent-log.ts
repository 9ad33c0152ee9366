// A log that keeps quiet.

import type { Log } from '../../shared/ports/log.ts'

export const silentLog: Log = { info() {}, warn() {}, error() {} }
