// The contract of accounts on users with passwords, on personal access tokens, and on both together.

import { argon2Sync, randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import bcrypt from 'bcrypt'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createAccounts } from '../../origin/accounts/accounts.ts'
import { createFolderRecords } from '../../origin/accounts/folder-records.ts'
import { type CreatedToken, openTokens } from '../../origin/accounts/token-store.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { createRecordingLog } from '../support/recording-log.ts'
import { temporaryFolder } from '../support/stack.ts'
import { accountsContract, type AccountsUnderTest } from './accounts.contract.ts'

const wait = new AbortController()

/** As cheap as argon2id can be, since so many are made here. */
function cheapHash(password: string): string {
  const nonce = randomBytes(16)
  const cost = { memory: 8, passes: 1, parallelism: 1, tagLength: 32 }
  const tag = argon2Sync('argon2id', { message: password, nonce, ...cost })
  const [salt, hash] = [nonce, tag].map((bytes) => bytes.toString('base64').replaceAll('=', ''))
  return `$argon2id$v=19$m=8,t=1,p=1$${salt}$${hash}`
}

async function world() {
  const folder = await temporaryFolder()
  onTestFinished(folder.remove)
  const htpasswdFile = join(folder.path, 'htpasswd')
  const records = createFolderRecords(join(folder.path, 'accounts'))
  const [clock, log] = [createFakeClock(), createRecordingLog()]
  const tokens = openTokens(records)
  const passwords = new Map<string, string>()

  async function setPasswords(changes: Readonly<Record<string, string | undefined>>): Promise<void> {
    for (const [user, password] of Object.entries(changes)) {
      if (password === undefined) passwords.delete(user)
      else passwords.set(user, user === 'bob' ? await bcrypt.hash(password, 4) : cheapHash(password))
    }
    await writeFile(htpasswdFile, [...passwords].map(([user, hash]) => `${user}:${hash}\n`).join(''))
    clock.advance(1000)
  }

  const open = (withPasswords = true) =>
    createAccounts({
      htpasswdFile: withPasswords ? htpasswdFile : undefined,
      records,
      clock,
      log,
    })
  const createToken = (user: string) => tokens.create({ user, created: new Date(clock.now()) }, wait)
  return { open, setPasswords, tokens, createToken, clock, log, records }
}

type World = Awaited<ReturnType<typeof world>>

const newPassword = () => randomBytes(12).toString('hex')

async function passwordsOf({ open, setPasswords }: World): Promise<AccountsUnderTest> {
  const [secret, otherSecret] = [newPassword(), newPassword()]
  await setPasswords({ alice: secret, bob: otherSecret })
  return {
    accounts: await open(),
    user: 'alice',
    secret,
    wrongSecret: newPassword(),
    otherUser: 'bob',
    otherSecret,
    again: () => open(),
    async renew() {
      const fresh = newPassword()
      await setPasswords({ alice: fresh })
      return fresh
    },
    end: () => setPasswords({ alice: undefined }),
  }
}

async function tokensOf({ open, tokens, createToken }: World, withPasswords: boolean): Promise<AccountsUnderTest> {
  let ours: CreatedToken = await createToken('alice')
  const [other, revoked] = [await createToken('bob'), await createToken('alice')]
  await tokens.remove(revoked.token.id, wait)
  return {
    accounts: await open(withPasswords),
    user: 'alice',
    secret: ours.text,
    wrongSecret: revoked.text,
    otherUser: 'bob',
    otherSecret: other.text,
    again: () => open(withPasswords),
    async renew() {
      await tokens.remove(ours.token.id, wait)
      ours = await createToken('alice')
      return ours.text
    },
    async end() {
      await tokens.remove(ours.token.id, wait)
    },
  }
}

accountsContract('passwords', async () => passwordsOf(await world()))
accountsContract('tokens', async () => tokensOf(await world(), false))
accountsContract('passwords, where users have tokens too', async () => {
  const all = await world()
  for (const user of ['alice', 'bob']) await all.createToken(user)
  return passwordsOf(all)
})
accountsContract('tokens, where users have passwords too', async () => {
  const all = await world()
  await all.setPasswords({ alice: newPassword(), bob: newPassword() })
  return tokensOf(all, true)
})

describe('passwords and tokens together', () => {
  test('of one user have credentials of their own, and end apart', async () => {
    const all = await world()
    const { accounts, user, secret, ...made } = await passwordsOf(all)
    const { text } = await all.createToken(user)
    const [byPassword, byToken] = [
      await accounts.authenticate(user, secret, wait),
      await accounts.authenticate(user, text, wait),
    ]
    expect(byPassword?.credential).not.toBe(byToken?.credential)
    await made.end()
    expect(await accounts.find(user, byPassword?.credential ?? '', wait)).toBeUndefined()
    expect(await accounts.find(user, byToken?.credential ?? '', wait)).toEqual(byToken)
  })

  test('a user who is in no file may have a token', async () => {
    const all = await world()
    const { accounts } = await passwordsOf(all)
    const { text } = await all.createToken('robot')
    expect(await accounts.authenticate('robot', text, wait)).toMatchObject({ user: 'robot' })
  })

  test('what begins like a token is never taken for a password', async () => {
    const all = await world()
    await all.setPasswords({ alice: 'mbp_not-a-token' })
    expect(await (await all.open()).authenticate('alice', 'mbp_not-a-token', wait)).toBeUndefined()
  })

  test('nothing secret is logged, whatever is tried', async () => {
    const all = await world()
    const { accounts, user, secret } = await passwordsOf(all)
    const { text, token } = await all.createToken(user)
    await all.records.replace(`tokens/${token.id}.json`, JSON.stringify({ ...token, later: 1 }), wait)
    for (const shown of [secret, text, text.slice(0, -1), `${secret}x`]) await accounts.authenticate(user, shown, wait)
    await all.setPasswords({})
    await accounts.authenticate(user, secret, wait)
    expect(all.log.lines.length).toBe(2)
    const said = all.log.lines.map((line) => JSON.stringify(line) + String(line.error)).join()
    for (const hidden of [secret, text, text.slice(17), token.secretSha256, '$argon2id$'])
      expect(said).not.toContain(hidden)
  })
})
