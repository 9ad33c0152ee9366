// Passwords of users: how much work an attempt is, whoever is named, what is remembered, and how many wait.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createPasswordAccounts } from '../../origin/accounts/password-accounts.ts'
import { createPasswordChecks } from '../../origin/accounts/password-checks.ts'
import { openPasswordFile } from '../../origin/accounts/password-file.ts'
import { type PasswordHash, verifyPassword } from '../../origin/accounts/password-hash.ts'
import type { Accounts } from '../../shared/ports/accounts.ts'
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts'
import { silentLog } from '../support/silent-log.ts'
import { temporaryFolder } from '../support/stack.ts'

const password = 'correct horse'
/** Two hashes of the same password. */
const bcryptHash = '$2y$04$ZCCARQ0u0lrsegjLwEBs7.sk/VxHZKn8W4QGWqhijLLHupdzCUiwS'
const argonHash = '$argon2id$v=19$m=1024,t=1,p=4$MDEyMzQ1Njc4OWFiY2RlZg$x0Lzu2K+v3fnJ0zY5qHlhCiye1bxm4Zm'
const wait = new AbortController()

let folder: { path: string; remove: () => Promise<void> }
let file: string
let clock: FakeClock
/** Kinds of the hashes that a password was checked against. */
let checked: PasswordHash['kind'][]

beforeEach(async () => {
  folder = await temporaryFolder()
  file = join(folder.path, 'htpasswd')
  clock = createFakeClock()
  checked = []
})
afterEach(() => folder.remove())

async function accountsOf(content: string, verify: typeof verifyPassword = verifyPassword): Promise<Accounts> {
  await writeFile(file, content)
  const counted: typeof verifyPassword = (hash, text) => {
    checked.push(hash.kind)
    return verify(hash, text)
  }
  return createPasswordAccounts({
    file: await openPasswordFile({ file, clock, log: silentLog }),
    checks: createPasswordChecks({ clock, verify: counted }),
    credentialKey: new Uint8Array(32),
  })
}

describe('an attempt costs one check', () => {
  test.each([
    ['the right password', 'alice', password],
    ['a wrong password', 'alice', 'wrong'],
    ['a user there is not', 'mallory', 'wrong'],
    ['a user there is not, with the password of one there is', 'mallory', password],
    ['a user of no possible name', 'a:b\n/../', password],
    ['the name of a property', '__proto__', password],
    ['too long a password for bcrypt', 'alice', 'x'.repeat(100)],
    ['a user there is not, and too long a password', 'mallory', 'x'.repeat(100)],
  ])('for %s', async (_, user, secret) => {
    const accounts = await accountsOf(`alice:${bcryptHash}`)
    const account = await accounts.authenticate(user, secret, wait)
    expect(account?.user).toBe(user === 'alice' && secret === password ? 'alice' : undefined)
    expect(checked).toEqual(['bcrypt'])
  })

  test('and the same again for a user there is not: what is remembered is of no help', async () => {
    const accounts = await accountsOf(`alice:${bcryptHash}`)
    await accounts.authenticate('alice', password, wait)
    for (let time = 0; time < 3; time++) expect(await accounts.authenticate('mallory', password, wait)).toBeUndefined()
    expect(checked.length).toBe(4)
  })

  test('of one kind for each name that there is not, and of all kinds that users have', async () => {
    const accounts = await accountsOf(`alice:${bcryptHash}\nbob:${argonHash}`)
    const kinds = new Set<string>()
    for (let name = 0; name < 40; name++) {
      checked = []
      for (let time = 0; time < 2; time++) await accounts.authenticate(`nobody-${name}`, 'wrong', wait)
      const [first, second] = checked
      expect(first).toBe(second)
      kinds.add(String(first))
    }
    expect(kinds).toEqual(new Set(['bcrypt', 'argon2id']))
  })

  test.each(['', 'correct horse\0', '\0', 'x'.repeat(1025)])(
    'but none for what is no password, as %j',
    async (secret) => {
      const accounts = await accountsOf(`alice:${bcryptHash}`)
      for (const user of ['alice', 'mallory']) expect(await accounts.authenticate(user, secret, wait)).toBeUndefined()
      expect(checked).toEqual([])
    },
  )
})

describe('the right password', () => {
  test('is remembered for a minute', async () => {
    const accounts = await accountsOf(`alice:${bcryptHash}`)
    await accounts.authenticate('alice', password, wait)
    clock.advance(59_999)
    expect(await accounts.authenticate('alice', password, wait)).toMatchObject({ user: 'alice' })
    expect(checked.length).toBe(1)
    clock.advance(1)
    expect(await accounts.authenticate('alice', password, wait)).toMatchObject({ user: 'alice' })
    expect(checked.length).toBe(2)
  })

  test('is checked once for many who come at once with it', async () => {
    const accounts = await accountsOf(`alice:${bcryptHash}`)
    const found = await Promise.all(Array.from({ length: 20 }, () => accounts.authenticate('alice', password, wait)))
    expect(found.every((account) => account?.user === 'alice')).toBe(true)
    // As many as are let in at once.
    expect(checked.length).toBe(2)
  })

  test('is not remembered for another user, nor when it was wrong', async () => {
    const accounts = await accountsOf(`alice:${bcryptHash}\nbob:${bcryptHash}`)
    for (const user of ['alice', 'bob']) await accounts.authenticate(user, password, wait)
    for (const secret of ['wrong', 'wrong']) expect(await accounts.authenticate('alice', secret, wait)).toBeUndefined()
    expect(checked.length).toBe(4)
  })

  test('is forgotten when the user has another, or is gone', async () => {
    const accounts = await accountsOf(`alice:${bcryptHash}\nbob:${bcryptHash}`)
    for (const user of ['alice', 'bob'])
      expect(await accounts.authenticate(user, password, wait)).toMatchObject({ user })
    await writeFile(file, `alice:${bcryptHash.replace('AR', 'RA')}\n`)
    clock.advance(1000)
    for (const user of ['alice', 'bob']) expect(await accounts.authenticate(user, password, wait)).toBeUndefined()
  })
})

describe('checks wait their turn', () => {
  /** A verification that ends when it is told to. */
  function held() {
    const { promise, resolve } = Promise.withResolvers<void>()
    return { verify: async () => (await promise, false), release: resolve }
  }

  test('two at once, and beyond 64 nobody waits', async () => {
    const { verify, release } = held()
    const accounts = await accountsOf(`alice:${bcryptHash}`, verify)
    const attempts = Array.from({ length: 64 }, (_, number) =>
      accounts.authenticate(number % 2 === 0 ? 'alice' : 'mallory', `wrong-${number}`, wait),
    )
    await expect.poll(() => checked.length).toBe(2)
    for (const user of ['alice', 'mallory'])
      await expect(accounts.authenticate(user, 'one more', wait)).rejects.toMatchObject({
        name: 'UpstreamError',
        source: 'accounts',
      })
    expect(checked.length).toBe(2)
    release()
    expect(await Promise.all(attempts)).toEqual(attempts.map(() => undefined))
    expect(await accounts.authenticate('alice', 'one more', wait)).toBeUndefined()
    expect(checked.length).toBe(65)
  })

  test('who leaves rejects with the reason at once, and makes room', async () => {
    const { verify, release } = held()
    const accounts = await accountsOf(`alice:${bcryptHash}`, verify)
    const leaver = new AbortController()
    const attempts = Array.from({ length: 64 }, (_, number) =>
      accounts.authenticate('alice', `wrong-${number}`, leaver).catch((error: unknown) => error),
    )
    await expect.poll(() => checked.length).toBe(2)
    leaver.abort('gone')
    expect(await Promise.all(attempts)).toEqual(attempts.map(() => 'gone'))
    const next = accounts.authenticate('alice', 'next', wait)
    release()
    expect(await next).toBeUndefined()
    expect(checked.length).toBe(3)
  })
})
