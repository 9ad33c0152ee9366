// Capabilities of uploads: what a URL of an upload carries where clients come to it without a token, because they began
// it by another host. Who has one may go on with that upload, and do nothing else. Signed by the origin, for origins.

import { errors, jwtVerify, SignJWT } from 'jose'
import * as v from 'valibot'
import type { Clock } from '../ports/clock.ts'
import type { RepositoryName } from '../protocol/names.ts'
import { userName } from './access.ts'

/** The one algorithm there is: whoever verifies a capability may sign one, so a shared key will do. */
const algorithm = 'HS256'

const type = 'upload+jwt'

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
  return {
    async issue({ name, id, user }) {
      const claims = { repository: name, upload: id, ...(user === undefined ? {} : { sub: user }) }
      return new SignJWT(claims)
        .setProtectedHeader({ alg: algorithm, typ: type })
        .setExpirationTime(Math.floor((clock.now() + lifeMs) / 1000))
        .sign(key)
    },

    async verify(capability, { name, id }) {
      try {
        const { payload } = await jwtVerify(capability, key, {
          algorithms: [algorithm],
          typ: type,
          requiredClaims: ['exp'],
          currentDate: new Date(clock.now()),
        })
        const claims = v.safeParse(claimsSchema, payload)
        if (!claims.success) return undefined
        const { repository, upload, sub } = claims.output
        return repository === name && upload === id ? { user: sub } : undefined
      } catch (error) {
        if (error instanceof errors.JOSEError) return undefined
        throw error
      }
    },
  }
}

const claimsSchema = v.object({ repository: v.string(), upload: v.string(), sub: v.optional(userName) })
