// The keys that tokens are signed with. Edges get only their public halves.
//
// A new key signs at once. The one before is known as long as a token of it may be good, if it was not given up as lost.

import { exportJWK, generateKeyPair, importJWK } from 'jose'
import { randomBytes } from 'node:crypto'
import * as v from 'valibot'
import { isInUse, importPublicKey, type PublicKey, publicKeySchema } from '../../shared/auth/public-key.ts'
import { algorithm, type SigningKey, tokenSeconds, type VerifyingKeys } from '../../shared/auth/token.ts'
import type { Wait } from '../../shared/ports/bucket.ts'
import type { Clock } from '../../shared/ports/clock.ts'
import { deadline } from '../../shared/concurrency/deadline.ts'
import { orAborted } from '../../shared/concurrency/or-aborted.ts'
import { keyInRecord, type KeyFormat } from './key-record.ts'
import { type Records, tokenKeyName } from './records.ts'

const privateKeySchema = v.object({ ...publicKeySchema.entries, d: v.string() })

const keysSchema = v.object({ current: privateKeySchema, former: v.array(publicKeySchema) })

type StoredKeys = v.InferOutput<typeof keysSchema>

const format: KeyFormat<StoredKeys> = {
  make: async () => ({ current: await makeKey(), former: [] }),
  write: (keys) => `${JSON.stringify(keys)}\n`,
  parse: (text) => v.parse(keysSchema, JSON.parse(text)),
}

export interface TokenKeys extends VerifyingKeys {
  /** The key to sign with. */
  current(): Promise<SigningKey>
  /** What edges need to know. */
  published(): Promise<readonly PublicKey[]>
}

/** Milliseconds between two looks at the record. */
const lookMs = 1000

/** Milliseconds for one look. */
const lookTimeoutMs = 2000

/** Milliseconds after a look that failed, in which nobody waits for the next. */
const failedMs = 10_000

/**
 * The keys in the record; they are made where it is missing. Processes that start at once agree on them, and all see a
 * change within a second.
 * @throws Error where the record is damaged, naming it
 */
export async function openTokenKeys(records: Records, clock: Clock, wait: Wait): Promise<TokenKeys> {
  const stored = await keyInRecord(records, tokenKeyName, format, wait)
  let known = format.write(stored)
  let loaded = await load(stored)
  let lookedAt = clock.now()
  let looking: Promise<void> | undefined
  let failedAt = Number.NEGATIVE_INFINITY

  async function look(): Promise<void> {
    const limit = deadline(clock, lookTimeoutMs, undefined, () => new Error(`no answer within ${lookTimeoutMs} ms`))
    try {
      const text = await orAborted(limit.signal, records.read(tokenKeyName, limit))
      failedAt = Number.NEGATIVE_INFINITY
      if (text === undefined || text === known) return
      loaded = await load(format.parse(text))
      known = text
    } catch {
      // A record that is just not to be had, or damaged, ends nothing: what is known goes on.
      failedAt = clock.now()
    } finally {
      limit.clear()
      looking = undefined
    }
  }

  async function latest(): Promise<typeof loaded> {
    // Also when the clock was set back: what was lost must not be good for longer.
    const now = clock.now()
    if (looking === undefined && Math.abs(now - lookedAt) >= lookMs) {
      lookedAt = now
      looking = look()
    }
    if (Math.abs(now - failedAt) >= failedMs) await looking
    return loaded
  }

  return {
    current: async () => (await latest()).signing,
    published: async () => (await latest()).published.filter((key) => isInUse(key, clock.now())),
    async find(id) {
      const found = (await latest()).verifying.get(id)
      return found !== undefined && isInUse(found.published, clock.now()) ? found.key : undefined
    },
  }
}

/**
 * Has a new key sign from now on. What the one before signed stays good until it ends by itself.
 * @param isLost the one before is in wrong hands: nothing that it signed is good any more
 * @param publish tells the edges; before there is anything that the new key signed
 * @returns the new key's id
 */
export async function rotateTokenKey(
  records: Records,
  clock: Clock,
  isLost: boolean,
  publish: (keys: readonly PublicKey[]) => Promise<void>,
  wait: Wait,
): Promise<string> {
  const { current, former } = await keyInRecord(records, tokenKeyName, format, wait)
  const until = clock.now() + 2 * tokenSeconds * 1000
  const still = isLost
    ? []
    : [{ ...v.parse(publicKeySchema, current), until }, ...former.filter((key) => isInUse(key, clock.now()))]
  const keys: StoredKeys = { current: await makeKey(), former: still }
  await publish(publicHalves(keys))
  await records.replace(tokenKeyName, format.write(keys), wait)
  return keys.current.kid
}

async function load(keys: StoredKeys) {
  const { d, ...current } = keys.current
  const published = publicHalves(keys)
  const verifying = await Promise.all(
    published.map(async (each) => [each.kid, { published: each, key: await importPublicKey(each) }] as const),
  )
  const key = (await importJWK({ ...current, d }, algorithm)) as SigningKey['key']
  return {
    signing: { id: current.kid, key },
    published,
    verifying: new Map(verifying),
  }
}

function publicHalves({ current, former }: StoredKeys): readonly PublicKey[] {
  return [v.parse(publicKeySchema, current), ...former]
}

async function makeKey(): Promise<v.InferOutput<typeof privateKeySchema>> {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true })
  return v.parse(privateKeySchema, { ...(await exportJWK(privateKey)), kid: randomBytes(9).toString('base64url') })
}
