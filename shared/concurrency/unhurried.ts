// The wait of work that goes on whoever leaves. A file of its own: a worker must not share a signal between its requests.

import type { Wait } from '../ports/bucket.ts'

export const unhurried: Wait = { signal: new AbortController().signal }
