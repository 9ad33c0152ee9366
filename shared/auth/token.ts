// Tokens: JWTs that the origin signs (ES256), and origin and edges verify. docs/decisions/0011-tokens.md says why so.

import { errors, type JWTPayload, jwtVerify, SignJWT } from 'jose'
import { LRUCache } from 'lru-cache'
import * as v from 'valibot'
import type { Wait } from '../ports/bucket.ts'
import type { Clock } from '../ports/clock.ts'
import { parseRepositoryName, type RepositoryName } from '../protocol/names.ts'
import { userName } from './access.ts'
import type { Caller } from './caller.ts'
import { repositoryPattern } from './repository-pattern.ts'
import { rights } from '../protocol/rights.ts'

/** The one algorithm there is: what a token's header says of it is never a choice. */
export const algorithm = 'ES256'

/** Seconds for which an access token is good. After a right or a credential is taken away, so long it may still be used. */
export const tokenSeconds = 300

/** Seconds by which clocks of origin and edges may differ. */
export const clockToleranceSeconds = 30

const accessType = 'at+jwt'
const refreshType = 'rt+jwt'

export interface SigningKey {
  readonly id: string
  readonly key: CryptoKey
}

/** Public keys by their ids. */
export interface VerifyingKeys {
  /** Undefined where there is no such key, or none any more. */
  find(id: string, wait: Wait): Promise<CryptoKey | undefined>
}

/** What a refresh token stands for. */
export interface RefreshClaims {
  readonly user: string
  /** The credential that it was made with (shared/ports/accounts.ts). */
  readonly credential: string
}

export interface TokenSigner {
  access(caller: Caller & { readonly user: string }, tokenId: string): Promise<string>
  refresh(claims: RefreshClaims, tokenId: string): Promise<string>
}

/** Days for which a refresh token is good, if its credential is. */
const refreshDays = 90

/** @param service the audience: tokens of one service are nothing to another */
export function createTokenSigner(deps: {
  current: () => Promise<SigningKey>
  service: string
  clock: Clock
}): TokenSigner {
  const { current, service, clock } = deps
  async function sign(type: string, user: string, tokenId: string, seconds: number, claims: JWTPayload) {
    const { id, key } = await current()
    const now = Math.floor(clock.now() / 1000)
    return new SignJWT(claims)
      .setProtectedHeader({ alg: algorithm, typ: type, kid: id })
      .setIssuer(service)
      .setAudience(service)
      .setSubject(user)
      .setJti(tokenId)
      .setIssuedAt(now)
      .setExpirationTime(now + seconds)
      .sign(key)
  }
  return {
    access: ({ user, access, catalog }, tokenId) => sign(accessType, user, tokenId, tokenSeconds, { access, catalog }),
    refresh: ({ user, credential }, tokenId) =>
      sign(refreshType, user, tokenId, refreshDays * 24 * 3600, { credential }),
  }
}

export interface TokenVerifier {
  /** What an access token says; undefined where it is none of ours, or not good any more. */
  access(token: string, wait: Wait): Promise<Caller | undefined>
  refresh(token: string, wait: Wait): Promise<RefreshClaims | undefined>
}

/**
 * Characters of all access tokens whose signature is remembered: some 15,000 tokens for a repository each. What they say
 * takes as much again.
 */
const rememberedCharacters = 8_000_000

/** Characters: a token for a hundred repositories is shorter. */
const longestToken = 64 * 1024

export function createTokenVerifier(deps: { keys: VerifyingKeys; service: string; clock: Clock }): TokenVerifier {
  const { keys, service, clock } = deps
  const remembered = new LRUCache<string, { caller: Caller; keyId: string; untilMs: number }>({
    maxSize: rememberedCharacters,
    sizeCalculation: (_, token) => token.length,
  })

  async function verified(token: string, type: string, wait: Wait) {
    if (token.length > longestToken) return undefined
    try {
      const { payload, protectedHeader } = await jwtVerify(
        token,
        async ({ kid }) => {
          const key = kid === undefined ? undefined : await keys.find(kid, wait)
          if (key === undefined) throw new errors.JWKSNoMatchingKey()
          return key
        },
        {
          algorithms: [algorithm],
          typ: type,
          issuer: service,
          audience: service,
          requiredClaims: ['sub', 'exp', 'iat', 'jti'],
          clockTolerance: clockToleranceSeconds,
          currentDate: new Date(clock.now()),
        },
      )
      return { payload, keyId: protectedHeader.kid ?? '' }
    } catch (error) {
      // What the bucket's keys could not be read for is no fault of the token.
      if (error instanceof errors.JOSEError) return undefined
      throw error
    }
  }

  return {
    async access(token, wait) {
      const known = remembered.get(token)
      if (known !== undefined) {
        const isGood = clock.now() < known.untilMs && (await keys.find(known.keyId, wait)) !== undefined
        if (isGood) return known.caller
        remembered.delete(token)
        return undefined
      }
      const found = await verified(token, accessType, wait)
      const claims = v.safeParse(accessSchema, found?.payload)
      if (found === undefined || !claims.success) return undefined
      const { sub, exp, access, catalog } = claims.output
      const caller: Caller = { user: sub, access, catalog }
      remembered.set(token, { caller, keyId: found.keyId, untilMs: (exp + clockToleranceSeconds) * 1000 })
      return caller
    },

    async refresh(token, wait) {
      const claims = v.safeParse(refreshSchema, (await verified(token, refreshType, wait))?.payload)
      return claims.success ? { user: claims.output.sub, credential: claims.output.credential } : undefined
    },
  }
}

const repository = v.pipe(
  v.string(),
  v.transform((text) => parseRepositoryName(text)),
  v.custom<RepositoryName>((name) => name !== undefined),
)

const accessSchema = v.object({
  sub: userName,
  exp: v.number(),
  catalog: v.optional(v.array(repositoryPattern)),
  access: v.array(
    v.object({ name: repository, granted: v.array(v.picklist(rights)), refused: v.array(v.picklist(rights)) }),
  ),
})

const refreshSchema = v.object({ sub: userName, credential: v.string() })
