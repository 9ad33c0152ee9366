// Claims that are signed with a key which signer and verifier share, as a JWT (RFC 7519). What its header says of the
// algorithm is never a choice, and what is of one type is nothing where another is wanted.

import { errors, type JWTPayload, jwtVerify, SignJWT } from 'jose'
import * as v from 'valibot'
import type { Clock } from '../ports/clock.ts'

const algorithm = 'HS256'

export interface SignedClaims<Claims> {
  /** A text that can stand in a header, and in a URL, as it is. @param lifeMs milliseconds for which it is good */
  sign(claims: Claims, lifeMs: number): Promise<string>
  /** Undefined where it is none of ours, of another type, or over. */
  verify(text: string): Promise<Claims | undefined>
}

/**
 * @param key 32 bytes at least
 * @param type of the JWT, in its header
 * @param toleranceSeconds by which the clocks of signer and verifier may differ
 */
export function createSignedClaims<Claims extends JWTPayload>(deps: {
  readonly key: Uint8Array
  readonly type: string
  readonly schema: v.GenericSchema<unknown, Claims>
  readonly clock: Clock
  readonly toleranceSeconds: number
}): SignedClaims<Claims> {
  const { key, type, schema, clock, toleranceSeconds } = deps
  return {
    sign: (claims, lifeMs) =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: algorithm, typ: type })
        .setExpirationTime(Math.floor((clock.now() + lifeMs) / 1000))
        .sign(key),

    async verify(text) {
      try {
        const { payload } = await jwtVerify(text, key, {
          algorithms: [algorithm],
          typ: type,
          requiredClaims: ['exp'],
          clockTolerance: toleranceSeconds,
          currentDate: new Date(clock.now()),
        })
        const claims = v.safeParse(schema, payload)
        return claims.success ? claims.output : undefined
      } catch (error) {
        if (error instanceof errors.JOSEError) return undefined
        throw error
      }
    },
  }
}
