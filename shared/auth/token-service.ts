// The token service: shows who somebody is, and gives what the rules grant them of what they ask for.
// Source: CNCF Distribution, "Token Authentication Specification" and "OAuth 2 Token Authentication".

import type { Account, Accounts } from '../ports/accounts.ts'
import type { Wait } from '../ports/bucket.ts'
import type { Random } from '../ports/random.ts'
import type { RepositoryName } from '../protocol/names.ts'
import type { Scope } from '../protocol/scope.ts'
import { type AccessRules, rightsIn } from './access.ts'
import { anonymousToken, type Authentication } from './authentication.ts'
import type { TokenAccess } from './caller.ts'
import { matchesPattern } from './repository-pattern.ts'
import { type Right, rights } from '../protocol/rights.ts'
import { tokenSeconds, type TokenSigner, type TokenVerifier } from './token.ts'

/** How somebody shows who they are; undefined: not at all. */
export type Proof =
  | { readonly kind: 'password'; readonly user: string; readonly secret: string }
  | { readonly kind: 'refresh'; readonly token: string }
  | undefined

export interface TokenAnswer {
  readonly token: string
  readonly expiresInSeconds: number
  /** Where one was asked for. */
  readonly refreshToken: string | undefined
}

export interface TokenService {
  /** Undefined where the proof is not good. */
  issue(proof: Proof, scopes: readonly Scope[], wantsRefresh: boolean, wait: Wait): Promise<TokenAnswer | undefined>
}

/** Of the one place that gives tokens, and not only knows them. */
export interface IssuingAuthentication extends Authentication {
  readonly issuer: TokenService
}

export interface TokenServiceDeps {
  readonly rules: AccessRules
  readonly accounts: Accounts
  readonly signer: TokenSigner
  readonly verifier: TokenVerifier
  readonly random: Random
}

/** What anonymous clients get, with nothing in it to sign. */
export const anonymousAnswer: TokenAnswer = {
  token: anonymousToken,
  expiresInSeconds: tokenSeconds,
  refreshToken: undefined,
}

export function createTokenService(deps: TokenServiceDeps): TokenService {
  const { rules, accounts, signer, verifier, random } = deps

  async function accountOf(proof: NonNullable<Proof>, wait: Wait): Promise<Account | undefined> {
    if (proof.kind === 'password') return accounts.authenticate(proof.user, proof.secret, wait)
    const claims = await verifier.refresh(proof.token, wait)
    return claims && accounts.find(claims.user, claims.credential, wait)
  }

  return {
    async issue(proof, scopes, wantsRefresh, wait) {
      if (proof === undefined) return anonymousAnswer
      const account = await accountOf(proof, wait)
      if (account === undefined) return undefined
      const { user, credential, limits } = account
      const access = accessTo(rules, account, scopes)
      const catalog = scopes.some(({ type }) => type === 'catalog') ? listedTo(limits) : undefined
      return {
        token: await signer.access({ user, access, catalog }, random.uuid()),
        expiresInSeconds: tokenSeconds,
        refreshToken: wantsRefresh ? await signer.refresh({ user, credential }, random.uuid()) : undefined,
      }
    },
  }
}

/** What was asked for, repository by repository, parted into what the account has and what it has not. */
function accessTo(rules: AccessRules, account: Account, scopes: readonly Scope[]): TokenAccess[] {
  const asked = new Map<RepositoryName, Set<Right>>()
  for (const scope of scopes) {
    if (scope.type !== 'repository') continue
    const wanted = asked.get(scope.name) ?? new Set()
    for (const right of rights) if (scope.actions.includes(right) || scope.actions.includes('*')) wanted.add(right)
    // Clients do not know of it: whoever pulls an image by its CID may need it.
    if (wanted.has('pull')) wanted.add('fetch')
    asked.set(scope.name, wanted)
  }
  return [...asked].map(([name, wanted]) => {
    const has = rightsIn(rules, account.user, name)
    const mayUse = (right: Right) => has.has(right) && isWithin(account, right, name)
    const granted = [...wanted].filter(mayUse)
    return { name, granted, refused: [...wanted].filter((right) => !granted.includes(right)) }
  })
}

/** Patterns of what an account may list: who is limited to some repositories is not told of others. */
function listedTo(limits: Account['limits']): readonly string[] {
  if (limits === undefined) return ['**']
  return limits.filter((limit) => covers(limit.rights, 'pull')).map(({ repositories }) => repositories)
}

function isWithin({ limits }: Account, right: Right, name: RepositoryName): boolean {
  return (
    limits === undefined ||
    limits.some((limit) => covers(limit.rights, right) && matchesPattern(limit.repositories, name))
  )
}

/** Whoever may push reads what is there. */
function covers(limited: readonly Right[], right: Right): boolean {
  return limited.includes(right) || (right === 'pull' && limited.includes('push'))
}
