// What ends a token that was good, and tokens that are too large to look at.

import { exportJWK, generateKeyPair } from 'jose'
import { expect, test } from 'vitest'
import { publishAccess } from '../../shared/auth/access-document.ts'
import { importPublicKey, type PublicKey } from '../../shared/auth/public-key.ts'
import { clockToleranceSeconds, createTokenSigner, createTokenVerifier, tokenSeconds } from '../../shared/auth/token.ts'
import { unhurried } from '../../shared/concurrency/unhurried.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { claimsFor, signed } from '../support/access/forged-tokens.ts'
import { createMemoryBucket } from '../support/bucket/memory-bucket.ts'
import { silentLog } from '../support/silent-log.ts'
import { verifierOfEdge } from '../support/access/tokens.ts'

const rules = { anonymous: 'pull', users: 'pull', delete: false } as const

/** An origin's key, and its public half as it is published. */
async function makeKey(id: string) {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
  return { id, key: privateKey, published: { ...(await exportJWK(publicKey)), kid: id } as PublicKey }
}

type MadeKey = Awaited<ReturnType<typeof makeKey>>

async function edge(...keys: MadeKey[]) {
  const clock = createFakeClock()
  const bucket = createMemoryBucket()
  const publish = (...all: MadeKey[]) =>
    publishAccess(bucket, { rules, loopback: false, keys: all.map(({ published }) => published) }, unhurried)
  await publish(...keys)
  const verifier = verifierOfEdge({ bucket, clock, log: silentLog })
  const tokenBy = ({ id, key }: MadeKey, service = 'mirrorball') =>
    createTokenSigner({ current: async () => ({ id, key }), service, clock }).access(
      { user: 'admin', access: [], catalog: undefined },
      'id',
    )
  return {
    clock,
    publish,
    tokenBy,
    isGood: async (token: string) => (await verifier.access(token, unhurried)) !== undefined,
  }
}

test('a token ends when its key is rotated out, whether it was seen before or not, within a minute', async () => {
  const [old, fresh] = [await makeKey('old'), await makeKey('fresh')]
  const { clock, publish, tokenBy, isGood } = await edge(old)
  const [seen, unseen] = [await tokenBy(old), await tokenBy(old)]
  expect(await isGood(seen)).toBe(true)
  await publish(fresh)
  clock.advance(59_999)
  expect(await isGood(seen)).toBe(true)
  clock.advance(1)
  expect([await isGood(seen), await isGood(unseen)]).toEqual([false, false])
  expect(await isGood(await tokenBy(fresh))).toBe(true)
})

test('a key that took the id of another one makes no token of that one good', async () => {
  const [old, impostor] = [await makeKey('same'), await makeKey('same')]
  const { clock, publish, tokenBy, isGood } = await edge(old)
  expect(await isGood(await tokenBy(impostor))).toBe(false)
  await publish(impostor)
  clock.advance(60_000)
  expect(await isGood(await tokenBy(old))).toBe(false)
})

test('a token ends in time, and a remembered one too', async () => {
  const key = await makeKey('key')
  const { clock, tokenBy, isGood } = await edge(key)
  const [seen, unseen] = [await tokenBy(key), await tokenBy(key)]
  expect(await isGood(seen)).toBe(true)
  clock.advance((tokenSeconds + clockToleranceSeconds) * 1000 - 60_000)
  expect(await isGood(seen)).toBe(true)
  clock.advance(60_000)
  expect([await isGood(seen), await isGood(unseen)]).toEqual([false, false])
})

test('a token of another service with the same key is no token here', async () => {
  const key = await makeKey('key')
  const { tokenBy, isGood } = await edge(key)
  expect([await isGood(await tokenBy(key)), await isGood(await tokenBy(key, 'other'))]).toEqual([true, false])
})

test('a token is of 64 KiB at most, whoever signed it', async () => {
  const key = await makeKey('key')
  const now = Date.now()
  const clock = createFakeClock(now)
  const found = { find: async () => importPublicKey(key.published) }
  const verifier = createTokenVerifier({ keys: found, service: 'mirrorball', clock })
  const isGood = async (repositories: number) => {
    const access = Array.from({ length: repositories }, (_, at) => ({
      name: `a/b${at}`,
      granted: ['pull'],
      refused: [],
    }))
    const token = await signed(key.key, { kid: key.id }, claimsFor('a', { access }))
    return { isGood: (await verifier.access(token, unhurried)) !== undefined, isLarge: token.length > 64 * 1024 }
  }
  expect(await isGood(500)).toEqual({ isGood: true, isLarge: false })
  expect(await isGood(5000)).toEqual({ isGood: false, isLarge: true })
})
