// Accounts: who may sign in, and with what. What they may do then is said by the access rules.
//
// Adapter: origin/accounts/accounts.ts, which passes test/contract/accounts.contract.ts. Each call rejects with its
// signal's reason once that is aborted, and otherwise with UpstreamError('accounts') where the accounts cannot be read, or
// too many passwords wait to be checked.

import type { Wait } from './bucket.ts'

/** `fetch`: to ask for images of IPFS that were never seen here. The list of them is in shared/auth/rights.ts. */
export type Right = 'pull' | 'push' | 'delete' | 'fetch'

/** What a personal access token is limited to: repositories by pattern, and the rights there. */
export interface TokenLimit {
  readonly repositories: string
  readonly rights: readonly Right[]
}

export interface Account {
  readonly user: string
  /**
   * Names the credential that was shown, and changes when it does: a refresh token made with it is good as long as `find`
   * still knows it. Neither secret nor a hash that helps to guess a password.
   */
  readonly credential: string
  /** Undefined: all that the user may do. */
  readonly limits?: readonly TokenLimit[]
}

export interface Accounts {
  /** The account of a user name and a password or personal access token; undefined where they are wrong, expired or revoked. */
  authenticate(user: string, secret: string, wait: Wait): Promise<Account | undefined>

  /** The account that a credential still stands for. */
  find(user: string, credential: string, wait: Wait): Promise<Account | undefined>
}
