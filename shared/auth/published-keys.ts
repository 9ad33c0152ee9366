// The public keys that tokens are verified with, as the origin publishes them in the bucket, and as edges read them.

import { importJWK } from 'jose'
import * as v from 'valibot'
import { accessKey } from '../layout/keys.ts'
import type { Bucket, BucketReader, Wait } from '../ports/bucket.ts'
import { type Clock, deadline } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import { orAborted } from '../ports/or-aborted.ts'
import { UpstreamError } from '../protocol/errors.ts'
import { parseJson } from '../protocol/json.ts'
import { algorithm, type VerifyingKeys } from './token.ts'

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

const documentSchema = v.object({ keys: v.array(publicKeySchema) })

export type PublicKey = v.InferOutput<typeof publicKeySchema>

/** Bytes; a key has about 200. */
const documentLimitBytes = 64 * 1024

/** Milliseconds after which the bucket is looked into again. */
const freshMs = 60_000

/** Milliseconds between two looks for the sake of keys that are not known: a stranger's tokens may name any. */
const unknownMs = 1000

/** Puts the keys where edges look for them; nothing is written where they are there. */
export async function publishKeys(bucket: Bucket, keys: readonly PublicKey[], wait: Wait): Promise<void> {
  const bytes = new TextEncoder().encode(JSON.stringify({ keys }))
  const there = await bucket.read(accessKey, documentLimitBytes, wait)
  if (there !== undefined && new TextDecoder().decode(there) === new TextDecoder().decode(bytes)) return
  await bucket.write(accessKey, bytes, wait)
}

/** Undefined where it is none of ours. */
function readKeys(bytes: Uint8Array): readonly PublicKey[] | undefined {
  const result = v.safeParse(documentSchema, parseJson(bytes))
  return result.success ? result.output.keys : undefined
}

/** Whether tokens of a key may still be good. */
export function isInUse({ until }: PublicKey, nowMs: number): boolean {
  return until === undefined || nowMs < until
}

/** The form that signatures are checked with. */
export async function importPublicKey(key: PublicKey): Promise<CryptoKey> {
  const { until: _, ...jwk } = key
  return importJWK(jwk, algorithm)
}

/**
 * Reads the keys of the bucket. While it is in error, the last known ones go on.
 * @param timeoutMs longest time in milliseconds for a look into the bucket
 */
export function createPublishedKeys(deps: {
  bucket: BucketReader
  clock: Clock
  log: Log
  timeoutMs: number
}): VerifyingKeys {
  const { bucket, clock, log, timeoutMs } = deps
  let known: ReadonlyMap<string, CryptoKey> | undefined
  let lookedMs = -Infinity

  async function read(wait: Wait): Promise<ReadonlyMap<string, CryptoKey>> {
    const tooLate = () => new UpstreamError('bucket', `${accessKey}: no answer within ${timeoutMs} ms`)
    const limit = deadline(clock, timeoutMs, wait.signal, tooLate)
    try {
      const bytes = await orAborted(limit.signal, bucket.read(accessKey, documentLimitBytes, limit))
      const published = bytes === undefined ? [] : readKeys(bytes)
      if (published === undefined) throw new UpstreamError('bucket', `${accessKey} is damaged`)
      const inUse = published.filter((key) => isInUse(key, clock.now()))
      const keys = await Promise.all(inUse.map(async (key) => [key.kid, await importPublicKey(key)] as const))
      return new Map(keys)
    } finally {
      limit.clear()
    }
  }

  /** Each request looks for itself: in workerd one may not wait for what another began. */
  async function look(wait: Wait): Promise<void> {
    // From here on the others go on with what is known.
    lookedMs = clock.now()
    try {
      known = await read(wait)
    } catch (error) {
      if (known === undefined) throw error
      log.warn('the keys of tokens could not be read again; the last known ones go on', {}, error)
    }
  }

  return {
    async find(id, wait) {
      const sinceMs = clock.now() - lookedMs
      if (known === undefined || sinceMs >= freshMs || (!known.has(id) && sinceMs >= unknownMs)) await look(wait)
      return known?.get(id)
    },
  }
}
