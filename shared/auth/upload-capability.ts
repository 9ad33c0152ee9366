// Capabilities of uploads: what a URL of an upload carries where clients come to it without a token, because they began
// it by another host. Who has one may go on with that upload, and do nothing else. Signed by the origin, for origins.

import * as v from 'valibot'
import type { Clock } from '../ports/clock.ts'
import type { RepositoryName } from '../protocol/names.ts'
import { userName } from './access.ts'
import { createSignedClaims } from './signed-claims.ts'

/** Whose upload it is, and which. */
export interface UploadGrant {
  readonly name: RepositoryName
  readonly id: string
  /** Undefined: of an anonymous client. */
  readonly user: string | undefined
}

export interface UploadCapabilities {
  /** A text that can stand in a URL as it is. */
  issue(grant: UploadGrant): Promise<string>
  /** Who began the upload that a capability is for; undefined where it is none of ours, of another upload, or expired. */
  verify(capability: string, upload: Omit<UploadGrant, 'user'>): Promise<Pick<UploadGrant, 'user'> | undefined>
}

/**
 * @param key 32 bytes, the same at all origins of a bucket
 * @param lifeMs milliseconds for which a capability is good
 */
export function createUploadCapabilities(deps: {
  readonly key: Uint8Array
  readonly lifeMs: number
  readonly clock: Clock
}): UploadCapabilities {
  const { key, lifeMs, clock } = deps
  // Only origins sign, and verify: those of one bucket are one service.
  const claims = createSignedClaims({ key, type: 'upload+jwt', schema: claimsSchema, clock, toleranceSeconds: 0 })
  return {
    issue: ({ name, id, user }) =>
      claims.sign({ repository: name, upload: id, ...(user === undefined ? {} : { sub: user }) }, lifeMs),
    async verify(capability, { name, id }) {
      const found = await claims.verify(capability)
      return found?.repository === name && found.upload === id ? { user: found.sub } : undefined
    },
  }
}

const claimsSchema = v.object({ repository: v.string(), upload: v.string(), sub: v.exactOptional(userName) })
