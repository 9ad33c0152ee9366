// The public keys that tokens are verified with.

import { importJWK } from 'jose'
import * as v from 'valibot'
import { algorithm } from './token.ts'

/** A JWK (RFC 7517). */
export const publicKeySchema = v.object({
  kty: v.literal('EC'),
  crv: v.literal('P-256'),
  x: v.string(),
  y: v.string(),
  kid: v.pipe(v.string(), v.minLength(1)),
  /** Of a key that another has replaced: the end of its last token, in milliseconds since 1970. */
  until: v.optional(v.number()),
})

export type PublicKey = v.InferOutput<typeof publicKeySchema>

/** Whether tokens of a key may still be good. */
export function isInUse({ until }: PublicKey, nowMs: number): boolean {
  return until === undefined || nowMs < until
}

/** The form that signatures are checked with. */
export async function importPublicKey(key: PublicKey): Promise<CryptoKey> {
  const { until: _, ...jwk } = key
  return importJWK(jwk, algorithm)
}
