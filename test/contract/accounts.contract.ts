// What all accounts do, however their users sign in.

import { beforeEach, describe, expect, test } from 'vitest'
import type { Account, Accounts } from '../../shared/ports/accounts.ts'

export interface AccountsUnderTest {
  /** Of one user. */
  readonly accounts: Accounts
  readonly user: string
  readonly secret: string
  /** Of the same kind as the right one, with nothing else wrong. */
  readonly wrongSecret: string
  readonly otherUser: string
  readonly otherSecret: string
  /** The same accounts, as after a restart. */
  again(): Promise<Accounts>
  /** The user gets another credential instead, which is returned. */
  renew(): Promise<string>
  /** Takes the user's credential away. */
  end(): Promise<void>
}

const wait = new AbortController()

export function accountsContract(adapter: string, make: () => Promise<AccountsUnderTest>): void {
  describe(`accounts: ${adapter}`, () => {
    let made: AccountsUnderTest
    let accounts: Accounts
    let user: string
    let secret: string

    beforeEach(async () => {
      made = await make()
      ;({ accounts, user, secret } = made)
    })

    const signedIn = async (at = accounts, shown = secret): Promise<Account> => {
      const account = await at.authenticate(user, shown, wait)
      if (account === undefined) throw new Error(`${user} is not let in`)
      return account
    }

    test('a user and the right secret have an account, as often as they come', async () => {
      const account = await signedIn()
      expect(account.user).toBe(user)
      expect(await signedIn()).toEqual(account)
    })

    test('whatever is not exactly the secret has none', async () => {
      const secrets = [
        made.wrongSecret,
        '',
        ' ',
        `${secret} `,
        ` ${secret}`,
        `${secret}\0`,
        `${secret}\n`,
        secret.slice(0, -1),
      ]
      for (const wrong of [...secrets, secret.toUpperCase(), `${secret}${'x'.repeat(5000)}`])
        expect([wrong, await accounts.authenticate(user, wrong, wait)]).toEqual([wrong, undefined])
    })

    test('nobody else has one with it', async () => {
      const users = [
        made.otherUser,
        'nobody',
        '',
        `${user} `,
        user.toUpperCase(),
        `${user}\0`,
        '../alice',
        '__proto__',
        '*',
      ]
      for (const other of users)
        expect([other, await accounts.authenticate(other, secret, wait)]).toEqual([other, undefined])
      expect(await accounts.authenticate(user, made.otherSecret, wait)).toBeUndefined()
      expect(await accounts.authenticate(made.otherUser, made.otherSecret, wait)).toMatchObject({
        user: made.otherUser,
      })
    })

    test('a credential stands for the account, of its user alone', async () => {
      const account = await signedIn()
      const other = await accounts.authenticate(made.otherUser, made.otherSecret, wait)
      expect(await accounts.find(user, account.credential, wait)).toEqual(account)
      expect(other?.credential).not.toBe(account.credential)
      for (const [name, credential] of [
        [made.otherUser, account.credential],
        [user, other?.credential ?? ''],
        ['nobody', account.credential],
      ] as const)
        expect(await accounts.find(name, credential, wait)).toBeUndefined()
    })

    test('what is no credential stands for nobody', async () => {
      const { credential } = await signedIn()
      const [kind = ''] = credential.split(':')
      for (const text of [
        '',
        ':',
        kind,
        `${kind}:`,
        `${kind}:../${user}`,
        `${credential}x`,
        credential.slice(0, -1),
        `${credential}\0`,
        secret,
      ])
        expect([text, await accounts.find(user, text, wait)]).toEqual([text, undefined])
    })

    test('a credential is the same after a restart', async () => {
      const account = await signedIn()
      const again = await made.again()
      expect(await again.find(user, account.credential, wait)).toEqual(account)
      expect(await signedIn(again)).toEqual(account)
    })

    test('a credential tells nothing of the secret, and says so little that it may be shown', async () => {
      const { credential } = await signedIn()
      expect(credential).toMatch(/^[a-z]+:[A-Za-z0-9_-]{12,22}$/)
      expect(credential).not.toContain(secret.slice(-12))
    })

    test('a credential that was taken away is none, and the others stay', async () => {
      const { credential } = await signedIn()
      const other = await accounts.authenticate(made.otherUser, made.otherSecret, wait)
      await made.end()
      expect(await accounts.find(user, credential, wait)).toBeUndefined()
      expect(await accounts.authenticate(user, secret, wait)).toBeUndefined()
      expect(await accounts.find(made.otherUser, other?.credential ?? '', wait)).toEqual(other)
    })

    test('a new credential is another one, and the old one none', async () => {
      const { credential } = await signedIn()
      const fresh = await made.renew()
      const account = await signedIn(accounts, fresh)
      expect(account.credential).not.toBe(credential)
      expect(await accounts.find(user, credential, wait)).toBeUndefined()
      expect(await accounts.find(user, account.credential, wait)).toEqual(account)
      if (fresh !== secret) expect(await accounts.authenticate(user, secret, wait)).toBeUndefined()
    })

    test('who does not wait any more is told so', async () => {
      const { credential } = await signedIn()
      const gone = AbortSignal.abort('gone')
      for (const call of [
        accounts.authenticate(user, made.wrongSecret, { signal: gone }),
        accounts.find(user, credential, { signal: gone }),
      ])
        await expect(call).rejects.toBe('gone')
    })
  })
}
