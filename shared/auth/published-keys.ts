// The public keys that tokens are verified with, as the origin publishes them in the bucket, and as edges read them.

import { importJWK, type JWK } from 'jose'
import * as v from 'valibot'
import { accessKey } from '../layout/keys.ts'
import type { BucketReader, Wait } from '../ports/bucket.ts'
import { type Clock, deadline } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import { orAborted } from '../ports/or-aborted.ts'
import { UpstreamError } from '../protocol/errors.ts'
import { parseJson } from '../protocol/json.ts'
import { algorithm, type VerifyingKeys } from './token.ts'

const keySchema = v.object({
  kty: v.literal('EC'),
  crv: v.literal('P-256'),
  x: v.string(),
  y: v.string(),
  kid: v.string(),
})

const documentSchema = v.object({ keys: v.array(keySchema) })

export type PublicKey = v.InferOutput<typeof keySchema>

/** Bytes; a key has about 200. */
const documentLimitBytes = 64 * 1024

/** Milliseconds after which the bucket is looked into again. */
const freshMs = 60_000

/** Milliseconds between two looks for the sake of keys that are not known: a stranger's tokens may name any. */
const unknownMs = 5000

/** What lies in the bucket. */
export function writeKeys(keys: readonly PublicKey[]): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify({ keys }))
}

/** Undefined where it is none of ours. */
export function readKeys(bytes: Uint8Array): readonly PublicKey[] | undefined {
  const result = v.safeParse(documentSchema, parseJson(bytes))
  return result.success ? result.output.keys : undefined
}

/** The form that signatures are checked with. */
export async function importPublicKey(key: PublicKey): Promise<CryptoKey> {
  return (await importJWK(key as JWK, algorithm)) as CryptoKey
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
      const keys = await Promise.all(published.map(async (key) => [key.kid, await importPublicKey(key)] as const))
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
