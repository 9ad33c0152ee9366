// What an edge says of the client that it asks for: signed, so that the origin can believe it on a public host, behind
// whatever proxies. The key itself never travels, and what does is worth nothing a minute later.

import * as v from 'valibot'
import type { ClientInfo } from '../ports/client-info.ts'
import type { Clock } from '../ports/clock.ts'
import { createSignedClaims } from './signed-claims.ts'
import { clockToleranceSeconds } from './token.ts'

/** The header in which it stands. */
export const edgeWordHeader = 'Mirrorball-Client'

/** The header in which the origin says whether it believed that. It tells who has no key nothing but that. */
export const knownEdgeHeader = 'Mirrorball-Edge'

/** Milliseconds in which a request should have come from the edge to the origin. */
const lifeMs = 60_000

export interface EdgeWord {
  sign(client: ClientInfo): Promise<string>
  /** Undefined where it is no edge's word, or an old one. */
  verify(text: string): Promise<ClientInfo | undefined>
}

/** @param key that origin and edges share */
export function createEdgeWord({ key, clock }: { readonly key: Uint8Array; readonly clock: Clock }): EdgeWord {
  const claims = createSignedClaims({
    key,
    type: 'client+jwt',
    schema: clientSchema,
    clock,
    toleranceSeconds: clockToleranceSeconds,
  })
  return {
    sign: ({ address, ...client }) => claims.sign({ ...client, ...(address === undefined ? {} : { address }) }, lifeMs),
    async verify(text) {
      const client = await claims.verify(text)
      return client && { address: undefined, ...client }
    },
  }
}

const clientSchema = v.object({
  address: v.optional(v.string()),
  scheme: v.picklist(['http', 'https']),
  host: v.string(),
})
