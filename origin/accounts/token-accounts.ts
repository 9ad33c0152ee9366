// Accounts of users with personal access tokens. A token works for the user that it was made for, who needs no password.

import { timingSafeEqual } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Account, Accounts } from '../../shared/ports/accounts.ts'
import type { Wait } from '../../shared/ports/bucket.ts'
import type { Clock } from '../../shared/ports/clock.ts'
import type { Log } from '../../shared/ports/log.ts'
import { orAborted } from '../../shared/concurrency/or-aborted.ts'
import { unhurried } from '../../shared/concurrency/unhurried.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { DamagedTokenError, hashOfSecret, type Token, type TokenStore } from './token-store.ts'
import { parseTokenText } from './token-text.ts'

/** The use of a token is recorded no more often. */
const recordUseMs = 3600_000

const usesRemembered = 10_000

const credentialPrefix = 'token:'

export interface TokenAccountsOptions {
  readonly tokens: TokenStore
  readonly clock: Clock
  readonly log: Log
}

export function createTokenAccounts({ tokens, clock, log }: TokenAccountsOptions): Accounts {
  const recordedAt = new LRUCache<string, number>({ max: usesRemembered })

  async function valid(user: string, id: string, wait: Wait): Promise<Token | undefined> {
    let token
    try {
      token = await tokens.read(id, wait)
    } catch (error) {
      wait.signal.throwIfAborted()
      if (!(error instanceof DamagedTokenError))
        throw new UpstreamError('accounts', 'a token cannot be read', { cause: error })
      log.error('a token is refused', { id }, error)
      return undefined
    }
    if (token?.user !== user || isExpired(token, clock)) return undefined
    return token
  }

  /** Records that cannot be written to keep nobody out. */
  async function recordUse(id: string): Promise<void> {
    const now = clock.now()
    if (now - (recordedAt.get(id) ?? -Infinity) < recordUseMs) return
    recordedAt.set(id, now)
    try {
      await tokens.recordUse(id, new Date(now), unhurried)
    } catch (error) {
      log.warn('the last use of a token cannot be recorded', { id }, error)
    }
  }

  return {
    async authenticate(user, secret, wait) {
      wait.signal.throwIfAborted()
      const given = parseTokenText(secret)
      const token = given && (await valid(user, given.id, wait))
      if (given === undefined || token === undefined) return undefined
      if (!timingSafeEqual(hashOfSecret(given.secret), Buffer.from(token.secretSha256, 'hex'))) return undefined
      await orAborted(wait.signal, recordUse(token.id))
      return accountOf(token)
    },

    async find(user, credential, wait) {
      wait.signal.throwIfAborted()
      if (!isTokenCredential(credential)) return undefined
      const token = await valid(user, credential.slice(credentialPrefix.length), wait)
      return token && accountOf(token)
    },
  }
}

export function isExpired({ expires }: Token, clock: Clock): boolean {
  return expires !== undefined && Date.parse(expires) <= clock.now()
}

/** Whether a credential names a token, and no password. */
export function isTokenCredential(credential: string): boolean {
  return credential.startsWith(credentialPrefix)
}

function accountOf({ user, id, limits }: Token): Account {
  return { user, credential: `${credentialPrefix}${id}`, ...(limits === undefined ? {} : { limits }) }
}
