// How an edge knows who asks: by the keys that the origin published in the bucket, without a call to it.

import { type AccessRules, defaultService, hasUsers } from '../auth/access.ts'
import type { Authentication } from '../auth/authentication.ts'
import { createPublishedKeys } from '../auth/published-keys.ts'
import { createTokenVerifier } from '../auth/token.ts'
import type { BucketReader } from '../ports/bucket.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'

/** @returns undefined where nobody can sign in. @param deps.timeoutMs longest time for a look at the keys */
export function createEdgeAuthentication(deps: {
  readonly access: AccessRules
  readonly bucket: BucketReader
  readonly clock: Clock
  readonly log: Log
  readonly timeoutMs: number
}): Authentication | undefined {
  if (!hasUsers(deps.access)) return undefined
  const service = deps.access.service ?? defaultService
  return { service, tokens: createTokenVerifier({ keys: createPublishedKeys(deps), service, clock: deps.clock }) }
}
