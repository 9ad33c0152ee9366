// Accounts of users with passwords.

import { createHmac, randomBytes } from 'node:crypto'
import type { Accounts } from '../../shared/ports/accounts.ts'
import { orAborted } from '../../shared/concurrency/or-aborted.ts'
import type { PasswordChecks } from './password-checks.ts'
import type { PasswordFile, Users } from './password-file.ts'
import { isPassword, type PasswordHash } from './password-hash.ts'

export interface PasswordAccountsOptions {
  readonly file: PasswordFile
  readonly checks: PasswordChecks
  /** Secret, and the same for all who have to know each other's credentials. */
  readonly credentialKey: Uint8Array
}

export function createPasswordAccounts({ file, checks, credentialKey }: PasswordAccountsOptions): Accounts {
  const standInKey = randomBytes(32)

  /** The hash is in it by way of a key, so that it tells nothing even of a hash whose salt is known. */
  function credentialOf(user: string, hash: PasswordHash): string {
    const mac = createHmac('sha256', credentialKey).update(`${user}\0${hash.text}`).digest()
    return `password:${mac.subarray(0, 16).toString('base64url')}`
  }

  /**
   * A hash for a user there is not: somebody's, and always the same one, as it would be if the user were there. Hashes of
   * one file may differ in kind and cost.
   */
  function standIn(user: string, users: Users): PasswordHash | undefined {
    const number = createHmac('sha256', standInKey).update(user).digest().readUInt32BE()
    return [...users.values()][number % users.size]
  }

  return {
    async authenticate(user, secret, wait) {
      if (!isPassword(secret)) return undefined
      const users = await orAborted(wait.signal, file.users())
      const hash = users.get(user)
      if (hash !== undefined)
        return (await checks.check(user, hash, secret, wait))
          ? { user, credential: credentialOf(user, hash) }
          : undefined
      const other = standIn(user, users)
      if (other !== undefined) await checks.waste(other, secret, wait)
      return undefined
    },

    async find(user, credential, wait) {
      const hash = (await orAborted(wait.signal, file.users())).get(user)
      return hash !== undefined && credentialOf(user, hash) === credential ? { user, credential } : undefined
    },
  }
}
