// By what requests are decided.

import type { Wait } from '../ports/bucket.ts'
import type { AccessRules } from './access.ts'
import type { Authentication } from './authentication.ts'

/** One version of the rules: a request is decided by the same one from begin to end. */
export interface Policy {
  readonly access: AccessRules
  /** Undefined where nobody can sign in. */
  readonly auth: Authentication | undefined
}

/**
 * The policy of now; at once where it is at hand. Rejects with UpstreamError where there is none, and with the signal's
 * reason.
 * @param inBackground takes work that may go on after the answer; without it that is left for later
 */
export type CurrentPolicy = (wait: Wait, inBackground?: (work: Promise<unknown>) => void) => Policy | Promise<Policy>
