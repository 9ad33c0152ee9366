// What a process needs to serve, as something one can ask: the answer to `/readyz` is made of these.

import type { Wait } from './bucket.ts'

export interface ReadinessCheck {
  /** Public: it stands in the answer. */
  readonly name: string
  /** Resolves where it works, rejects where it does not. Changes nothing that a client can see. */
  check(wait: Wait): Promise<void>
}
