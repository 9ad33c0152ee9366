// What an edge says of the client that it asks for: signed, so that the origin can believe it on a public host, behind
// whatever proxies. The key itself never travels, and what does is worth nothing a minute later.

import { errors, jwtVerify, SignJWT } from 'jose'
import * as v from 'valibot'
import type { ClientInfo } from '../ports/client-info.ts'
import type { Clock } from '../ports/clock.ts'
import { clockToleranceSeconds } from './token.ts'

/** The header in which it stands. */
export const edgeWordHeader = 'Mirrorball-Client'

/** The one algorithm there is. */
const algorithm = 'HS256'

const type = 'client+jwt'

/** Seconds in which a request should have come from the edge to the origin. */
const lifeSeconds = 60

export interface EdgeWord {
  sign(client: ClientInfo): Promise<string>
  /** Undefined where it is no edge's word, or an old one. */
  verify(text: string): Promise<ClientInfo | undefined>
}

/** @param key that origin and edges share */
export function createEdgeWord({ key, clock }: { readonly key: Uint8Array; readonly clock: Clock }): EdgeWord {
  return {
    async sign({ address, scheme, host }) {
      return new SignJWT({ ...(address === undefined ? {} : { address }), scheme, host })
        .setProtectedHeader({ alg: algorithm, typ: type })
        .setExpirationTime(Math.floor(clock.now() / 1000) + lifeSeconds)
        .sign(key)
    },

    async verify(text) {
      try {
        const { payload } = await jwtVerify(text, key, {
          algorithms: [algorithm],
          typ: type,
          requiredClaims: ['exp'],
          clockTolerance: clockToleranceSeconds,
          currentDate: new Date(clock.now()),
        })
        const claims = v.safeParse(clientSchema, payload)
        return claims.success ? { address: undefined, ...claims.output } : undefined
      } catch (error) {
        if (error instanceof errors.JOSEError) return undefined
        throw error
      }
    },
  }
}

const clientSchema = v.object({
  address: v.optional(v.string()),
  scheme: v.picklist(['http', 'https']),
  host: v.string(),
})
