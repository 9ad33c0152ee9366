// All accounts there are: users with passwords, where there is a file of them, and users with personal access tokens.

import type { Accounts } from '../../shared/ports/accounts.ts'
import type { Clock } from '../../shared/ports/clock.ts'
import type { Log } from '../../shared/ports/log.ts'
import { unhurried } from '../../shared/concurrency/unhurried.ts'
import { createPasswordAccounts } from './password-accounts.ts'
import { createPasswordChecks } from './password-checks.ts'
import { openPasswordFile } from './password-file.ts'
import { randomKey } from './random-key.ts'
import { credentialKeyName, type Records } from './records.ts'
import { createTokenAccounts, isTokenCredential } from './token-accounts.ts'
import { openTokens } from './token-store.ts'
import { isMeantAsToken } from './token-text.ts'

export interface AccountsOptions {
  /** Users and hashes of their passwords. Undefined: nobody has a password. */
  readonly htpasswdFile?: string | undefined
  /** Tokens, and the key with which credentials of passwords are named. All origins need the same ones. */
  readonly records: Records
  readonly clock: Clock
  readonly log: Log
}

/** Rejects with PasswordFileError where that file is at fault, and with an Error where the key is. */
export async function createAccounts(options: AccountsOptions): Promise<Accounts> {
  const { htpasswdFile, records, clock, log } = options
  const byToken = createTokenAccounts({ tokens: openTokens(records), clock, log })
  if (htpasswdFile === undefined) return byToken
  const byPassword = createPasswordAccounts({
    file: await openPasswordFile({ file: htpasswdFile, clock, log }),
    checks: createPasswordChecks({ clock }),
    credentialKey: await randomKey(records, credentialKeyName, unhurried),
  })
  return {
    authenticate: (user, secret, wait) =>
      (isMeantAsToken(secret) ? byToken : byPassword).authenticate(user, secret, wait),
    find: (user, credential, wait) =>
      (isTokenCredential(credential) ? byToken : byPassword).find(user, credential, wait),
  }
}
