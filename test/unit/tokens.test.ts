// Tokens: what they say, how long they are good, and what ends them before.

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { AccessRules } from '../../shared/auth/access.ts'
import type { Account } from '../../shared/ports/accounts.ts'
import type { Bucket } from '../../shared/ports/bucket.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts'
import { createMemoryBucket } from '../support/bucket/memory-bucket.ts'
import { bucketTimeoutMs, tokenWorld } from '../support/access/tokens.ts'

const rules: AccessRules = {
  anonymous: 'pull',
  users: 'push',
  delete: false,
  private: ['team/**'],
  groups: [{ name: 'team', users: ['alice', 'carol'] }],
  rules: [
    { repositories: ['team/**'], users: ['@team'], anonymous: false, rights: ['push'] },
    { repositories: ['team/old'], users: ['alice'], anonymous: false, rights: ['delete', 'fetch'] },
  ],
}

const second = 1000
const minute = 60 * second

let clock: FakeClock
let bucket: Bucket
let isBroken: boolean
let reads: number
let accounts: Map<string, Omit<Account, 'user'>>
let world: Awaited<ReturnType<typeof tokenWorld>>

beforeEach(async () => {
  clock = createFakeClock()
  isBroken = false
  reads = 0
  const memory = createMemoryBucket()
  bucket = {
    ...memory,
    async read(...args) {
      reads += 1
      if (isBroken) throw new UpstreamError('bucket', 'it is down')
      return memory.read(...args)
    },
  }
  accounts = new Map([
    ['alice', { credential: 'a1' }],
    ['bob', { credential: 'b1' }],
    ['ci', { credential: 'c1', limits: [{ repositories: 'team/**', rights: ['pull'] }] }],
    ['cleaner', { credential: 'e1', limits: [{ repositories: '**', rights: ['delete'] }] }],
    ['carol', { credential: 'd1', limits: [{ repositories: 'team/app', rights: ['push'] }] }],
  ])
  world = await tokenWorld({ rules, clock, bucket, accounts })
})

afterEach(() => world.remove())

describe('a token says', () => {
  test.each([
    ['alice', 'repository:team/app:pull,push', ['pull', 'push'], ['fetch']],
    ['alice', 'repository:team/app:delete', [], ['delete']],
    ['alice', 'repository:team/old:pull,delete', ['pull', 'delete', 'fetch'], []],
    ['alice', 'repository:team/app:*', ['pull', 'push'], ['delete', 'fetch']],
    ['bob', 'repository:team/app:pull,push', [], ['pull', 'push', 'fetch']],
    ['bob', 'repository:public/app:pull,push', ['pull', 'push'], ['fetch']],
    ['bob', 'repository:public/app:push', ['push'], []],
    ['bob', 'repository:public/app:fly', [], []],
    ['carol', 'repository:team/app:pull,push', ['pull', 'push'], ['fetch']],
    ['carol', 'repository:team/other:pull,push', [], ['pull', 'push', 'fetch']],
    ['ci', 'repository:team/app:pull', [], ['pull', 'fetch']],
  ])('%s, who asks for %s: granted %j, refused %j', async (user, scope, granted, refused) => {
    const { token } = await world.signIn(user, scope)
    const caller = await world.verifier.access(token, world.wait)
    expect(caller).toMatchObject({ user, catalog: undefined })
    expect(caller?.access).toEqual([{ name: scope.split(':')[1], granted, refused }])
  })

  test('of each repository that was asked for, however often, and nothing of what is no scope', async () => {
    const asked =
      'repository:a:pull repository:b:push repository:a:push repository:UPPER:pull registry:catalog:* x repository:c'
    const { token } = await world.signIn('alice', asked)
    const caller = await world.verifier.access(token, world.wait)
    expect(caller).toMatchObject({ catalog: ['**'] })
    expect(caller?.access).toEqual([
      { name: 'a', granted: ['pull', 'push'], refused: ['fetch'] },
      { name: 'b', granted: ['push'], refused: [] },
    ])
  })

  test.each([
    ['ci', ['team/**']],
    ['carol', ['team/app']],
    ['cleaner', []],
  ])('of the catalog to %s, who is limited to some repositories, where it may pull: %j', async (user, catalog) => {
    const { token } = await world.signIn(user, 'registry:catalog:*')
    expect(await world.verifier.access(token, world.wait)).toMatchObject({ catalog })
  })
})

describe.each(['at the origin', 'at an edge'])('%s a token', (where) => {
  const verifier = () => (where === 'at the origin' ? world.verifier : world.edge())

  test('is good for five minutes, and the tolerance of clocks', async () => {
    const { token, expiresInSeconds } = await world.signIn('alice', 'repository:a:pull')
    const there = verifier()
    expect(expiresInSeconds).toBe(300)
    clock.advance(5 * minute + 29 * second)
    expect(await there.access(token, world.wait)).toBeDefined()
    clock.advance(second)
    expect(await there.access(token, world.wait)).toBeUndefined()
    expect(await verifier().access(token, world.wait)).toBeUndefined()
  })

  test('goes on when the key is changed, until its own end', async () => {
    const { token } = await world.signIn('alice', 'repository:a:pull')
    const there = verifier()
    expect(await there.access(token, world.wait)).toBeDefined()
    await world.rotate(false)
    clock.advance(2 * minute)
    expect(await there.access(token, world.wait)).toBeDefined()
    const { token: newer } = await world.signIn('alice', 'repository:a:pull')
    expect(await there.access(newer, world.wait)).toMatchObject({ user: 'alice' })
    clock.advance(4 * minute)
    expect(await there.access(token, world.wait)).toBeUndefined()
  })

  test('ends within a minute when its key is given up as lost', async () => {
    const { token } = await world.signIn('alice', 'repository:a:pull')
    const there = verifier()
    expect(await there.access(token, world.wait)).toBeDefined()
    await world.rotate(true)
    clock.advance(minute)
    expect(await there.access(token, world.wait)).toBeUndefined()
    expect(await verifier().access(token, world.wait)).toBeUndefined()
  })
})

test('a key that replaced another is gone from what is published once its last token has ended', async () => {
  await world.rotate(false)
  clock.advance(2 * second)
  const { token } = await world.signIn('alice', 'repository:a:pull')
  await world.rotate(false)
  clock.advance(10 * minute)
  await world.rotate(false)
  const published = new TextDecoder().decode(await bucket.read('mirrorball/access.json' as never, 10_000, world.wait))
  expect((JSON.parse(published) as { keys: unknown[] }).keys).toHaveLength(2)
  expect(await world.edge().access(token, world.wait)).toBeUndefined()
})

describe('a refresh token', () => {
  const again = (token: string) => world.tokens.issue({ kind: 'refresh', token }, [], false, world.wait)
  const refreshToken = async (user: string) => (await world.signIn(user, '', true)).refreshToken ?? ''

  test('is only given where it is asked for, and is good for new tokens', async () => {
    expect((await world.signIn('alice', '')).refreshToken).toBeUndefined()
    const token = await refreshToken('alice')
    clock.advance(24 * 60 * minute)
    const issued = await again(token)
    expect(await world.verifier.access(issued?.token ?? '', world.wait)).toMatchObject({ user: 'alice' })
  })

  test('ends when its credential is changed, and when the user goes', async () => {
    const [ofAlice, ofBob] = [await refreshToken('alice'), await refreshToken('bob')]
    accounts.set('alice', { credential: 'a2' })
    accounts.delete('bob')
    expect(await again(ofAlice)).toBeUndefined()
    expect(await again(ofBob)).toBeUndefined()
  })

  test('is no access token, nor the other way round', async () => {
    const { token, refreshToken } = await world.signIn('alice', '', true)
    expect(await world.verifier.access(refreshToken ?? '', world.wait)).toBeUndefined()
    expect(await world.verifier.refresh(token, world.wait)).toBeUndefined()
    expect(await again(token)).toBeUndefined()
  })
})

describe('an edge', () => {
  test('reads the keys once a minute, however many tokens come', async () => {
    const edge = world.edge()
    const tokens = await Promise.all(
      Array.from({ length: 20 }, async () => (await world.signIn('alice', 'repository:a:pull')).token),
    )
    await edge.access(tokens[0] ?? '', world.wait)
    reads = 0
    for (const token of [...tokens, ...tokens]) expect(await edge.access(token, world.wait)).toBeDefined()
    expect(reads).toBe(0)
    clock.advance(minute)
    for (const token of tokens) expect(await edge.access(token, world.wait)).toBeDefined()
    expect(reads).toBe(1)
  })

  test('looks for keys that it does not know, but not for each token that names one', async () => {
    const edge = world.edge()
    await edge.access((await world.signIn('alice', '')).token, world.wait)
    await world.rotate(true)
    clock.advance(5 * second)
    reads = 0
    const { token } = await world.signIn('alice', '')
    const [, payload, signature] = token.split('.')
    for (let at = 0; at < 10; at++) {
      const header = btoa(JSON.stringify({ alg: 'ES256', typ: 'at+jwt', kid: `unknown-${at}` })).replaceAll('=', '')
      expect(await edge.access(`${header}.${payload}.${signature}`, world.wait)).toBeUndefined()
    }
    expect(reads).toBe(1)
    expect(await edge.access(token, world.wait)).toBeDefined()
  })

  test('goes on with the keys that it knows while the bucket is in error, and says so', async () => {
    const edge = world.edge()
    const { token } = await world.signIn('alice', '')
    expect(await edge.access(token, world.wait)).toBeDefined()
    isBroken = true
    clock.advance(minute)
    expect(await edge.access(token, world.wait)).toBeDefined()
    expect(world.lines.filter(({ message }) => message.includes('last known'))).toHaveLength(1)
  })

  test('that never saw them says that the bucket failed, of no token that it is wrong', async () => {
    isBroken = true
    const { token } = await world.signIn('alice', '')
    await expect(world.edge().access(token, world.wait)).rejects.toThrow(UpstreamError)
  })

  test('waits for a bucket that hangs no longer than it may', async () => {
    const { token } = await world.signIn('alice', '')
    bucket.read = () => new Promise(() => {})
    const hanging = world.edge().access(token, world.wait)
    const failed = expect(hanging).rejects.toThrow(`no answer within ${bucketTimeoutMs} ms`)
    await clock.untilArmed()
    clock.advance(bucketTimeoutMs)
    await failed
  })
})
