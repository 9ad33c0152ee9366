// Makes, lists and revokes personal access tokens, as the operator asks for it.

import { accountsSecret } from '../config/addresses.ts'
import type { Config } from '../config/schema.ts'
import { isExpired } from '../accounts/token-accounts.ts'
import { DamagedTokenError, openTokens, type Token } from '../accounts/token-store.ts'
import { type Records, tokensFolder } from '../accounts/records.ts'
import { formatTokenLimit, parseTokenLimit, tokenLimitRule } from '../accounts/token-limit.ts'
import { isTokenId, parseTokenText } from '../accounts/token-text.ts'
import { unhurried } from '../../shared/concurrency/unhurried.ts'
import { isUserName, userNameRule } from '../../shared/protocol/user-name.ts'
import { openRecords } from '../compose/account-records.ts'
import { openBucket } from '../compose/open-bucket.ts'
import { refuseReadOnly, verbLog } from './run-verb.ts'
import { systemClock } from '../compose/system-ports.ts'

const dayMs = 24 * 3600_000
const mostDays = 3650

/** What a token is to be, as typed. */
export interface TokenWish {
  readonly user: string | undefined
  readonly name: string | undefined
  readonly limits: readonly string[]
  readonly expiresDays: string
}

export interface MadeToken {
  /** The secret. */
  readonly text: string
  /** What a person wants to know of it; without the secret. */
  readonly about: string
}

/** Rejects with an Error that says what is wrong with the wish. */
export async function createToken(config: Config, wish: TokenWish): Promise<MadeToken> {
  const { user, name } = wish
  if (user === undefined) throw new Error('--user: must be set: who signs in with the token, e.g. --user alice')
  if (!isUserName(user)) throw new Error(`--user: ${userNameRule}`)
  // It is shown in lists, with tabs around it.
  if (name !== undefined && !/^[^\p{C}]{1,128}$/u.test(name))
    throw new Error('--name: must have 1 to 128 characters, and no control characters')
  const limits = wish.limits.map((text) => {
    const limit = parseTokenLimit(text)
    if (limit === undefined) throw new Error(`--limit: ${tokenLimitRule}; got ${JSON.stringify(text)}`)
    return limit
  })
  const created = new Date(systemClock.now())
  const wanted = {
    user,
    name,
    limits: limits.length === 0 ? undefined : limits,
    created,
    expires: expiry(created, wish.expiresDays),
  }
  const { token, text } = await openTokens(await recordsToChange(config)).create(wanted, unhurried)
  return { text, about: aboutToken(token) }
}

function expiry(created: Date, days: string): Date | undefined {
  if (days === 'never') return undefined
  const count = /^\d{1,4}$/.test(days) ? Number(days) : 0
  if (count < 1 || count > mostDays)
    throw new Error(
      `--expires-days: must be a whole number from 1 to ${mostDays}, or never; got ${JSON.stringify(days)}`,
    )
  return new Date(created.getTime() + count * dayMs)
}

function aboutToken({ id, user, expires, limits }: Token): string {
  const may = limits === undefined ? `may do all that ${user} may` : `may do ${limits.map(formatTokenLimit).join(' ')}`
  return [
    `token ${id} of ${user} ${may}; it ${expires === undefined ? 'does not expire' : `expires at ${expires}`}`,
    `it is not shown again; sign in with it as the password: docker login -u ${user} --password-stdin HOST`,
    '',
  ].join('\n')
}

/** What is known of a token, without anything secret. */
export interface ListedToken extends Omit<Token, 'secretSha256'> {
  readonly expired: boolean
  readonly lastUsed?: string
}

/** All tokens, the oldest first. @param onDamaged hears of files that are none */
export async function listTokens(config: Config, onDamaged: (message: string) => void): Promise<ListedToken[]> {
  const tokens = openTokens(await verbRecords(config))
  const listed: ListedToken[] = []
  for (const id of await tokens.ids(unhurried)) {
    try {
      const token = await tokens.read(id, unhurried)
      if (token === undefined) continue // Revoked meanwhile.
      const { secretSha256: _, ...shown } = token
      const lastUsed = (await tokens.lastUsed(id, unhurried))?.toISOString()
      listed.push({ ...shown, expired: isExpired(token, systemClock), ...(lastUsed === undefined ? {} : { lastUsed }) })
    } catch (error) {
      if (!(error instanceof DamagedTokenError)) throw error
      onDamaged(error.message)
    }
  }
  return listed.sort((a, b) => (a.created === b.created ? (a.id < b.id ? -1 : 1) : a.created < b.created ? -1 : 1))
}

/** A token on one line, with tabs between what is told. */
export function tokenLine({ id, user, name, limits, created, expires, expired, lastUsed }: ListedToken): string {
  const ends = expires === undefined ? 'never' : expired ? `${expires} (expired)` : expires
  const may = limits?.map(formatTokenLimit).join(' ') ?? ''
  return `${[id, user, name ?? '', may, created, ends, lastUsed ?? 'never'].join('\t')}\n`
}

/**
 * Ends a token. Rejects with an Error where there is none.
 * @param text its id, or the token itself, which then is not shown
 */
export async function revokeToken(config: Config, text: string): Promise<string> {
  const id = parseTokenText(text)?.id ?? text
  if (!isTokenId(id)) throw new Error('this is no id of a token; mirrorball token list shows them')
  const records = await recordsToChange(config)
  if (await openTokens(records).remove(id, unhurried)) return `revoked ${id}\n`
  throw new Error(
    `there is no token ${id} in ${records.where(tokensFolder)}; mirrorball token list shows which there are, --data-dir names another data folder`,
  )
}

/** Rejects with an Error where they are in a bucket that is not to be written to. */
async function recordsToChange(config: Config): Promise<Records> {
  if (accountsSecret(config) !== undefined) refuseReadOnly(config)
  return verbRecords(config)
}

async function verbRecords(config: Config): Promise<Records> {
  return openRecords(config, async () => (await openBucket(config, verbLog)).bucket)
}
