// Personal access tokens: a record each, named by the token's id, with a hash of its secret. Whoever shares the records
// sees a new token, and misses a revoked one, as soon as it reads them.

import { createHash } from 'node:crypto'
import * as v from 'valibot'
import { rights } from '../../shared/protocol/rights.ts'
import type { TokenLimit } from '../../shared/ports/accounts.ts'
import type { Wait } from '../../shared/ports/bucket.ts'
import { type Records, SealedRecordError, tokensFolder } from './records.ts'
import { formatTokenText, isTokenId, newTokenText } from './token-text.ts'

const time = v.pipe(v.string(), v.isoTimestamp())

/** Strict: a field of a later version may be a limit, and a limit that is passed over would be none. */
const tokenSchema = v.strictObject({
  id: v.pipe(v.string(), v.check(isTokenId)),
  user: v.pipe(v.string(), v.minLength(1)),
  name: v.optional(v.string()),
  created: time,
  /** Never where it is missing. */
  expires: v.optional(time),
  limits: v.optional(
    v.array(v.strictObject({ repositories: v.pipe(v.string(), v.minLength(1)), rights: v.array(v.picklist(rights)) })),
  ),
  /** In hex. A secret of 256 bits cannot be guessed, so one round is enough. */
  secretSha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
})

const tokenInJson = v.pipe(v.string(), v.parseJson(), tokenSchema)

export type Token = Readonly<v.InferOutput<typeof tokenSchema>>

export interface NewToken {
  readonly user: string
  readonly name?: string | undefined
  readonly limits?: readonly TokenLimit[] | undefined
  readonly created: Date
  readonly expires?: Date | undefined
}

export interface CreatedToken {
  readonly token: Token
  /** The secret itself: it is nowhere else, and cannot be had again. */
  readonly text: string
}

export interface TokenStore {
  /** When it resolves the token is there for good. */
  create(token: NewToken, wait: Wait): Promise<CreatedToken>

  /** @throws DamagedTokenError */
  read(id: string, wait: Wait): Promise<Token | undefined>

  /** Ids, in no order; some may be of damaged records. */
  ids(wait: Wait): Promise<readonly string[]>

  /** Also removes a damaged one. When it resolves the token is gone for good. @returns whether it was there */
  remove(id: string, wait: Wait): Promise<boolean>

  /** When a token was last used, as far as that is known. */
  lastUsed(id: string, wait: Wait): Promise<Date | undefined>

  recordUse(id: string, at: Date, wait: Wait): Promise<void>
}

/** A token's record that is none of ours, or of a version that we do not know. */
export class DamagedTokenError extends Error {
  override readonly name = 'DamagedTokenError'

  constructor(where: string) {
    super(`${where} is damaged, or of a later version; its token is refused. mirrorball token revoke removes it`)
  }
}

export function openTokens(records: Records): TokenStore {
  const nameOf = (id: string) => `${tokensFolder}/${id}.json`
  /** Beside the token, not in it: a token that is written again for its use could come back after it was revoked. */
  const useNameOf = (id: string) => `${tokensFolder}/${id}.used`

  return {
    async create({ user, name, limits, created, expires }, wait) {
      for (;;) {
        const made = newTokenText()
        const token: Token = v.parse(tokenSchema, {
          id: made.id,
          user,
          name,
          created: created.toISOString(),
          expires: expires?.toISOString(),
          limits,
          secretSha256: hashOfSecret(made.secret).toString('hex'),
        })
        if (await records.create(nameOf(made.id), `${JSON.stringify(token, undefined, 2)}\n`, wait))
          return { token, text: formatTokenText(made) }
      }
    },

    async read(id, wait) {
      if (!isTokenId(id)) return undefined
      let text
      try {
        text = await records.read(nameOf(id), wait)
      } catch (error) {
        throw error instanceof SealedRecordError ? damaged(id) : error
      }
      if (text === undefined) return undefined
      const parsed = v.safeParse(tokenInJson, text)
      // A record under another token's name would stand for both.
      if (!parsed.success || parsed.output.id !== id) throw damaged(id)
      return parsed.output
    },

    async ids(wait) {
      const names = await records.names(tokensFolder, wait)
      return names.map((name) => /^(.*)\.json$/.exec(name)?.[1] ?? '').filter(isTokenId)
    },

    async remove(id, wait) {
      if (!isTokenId(id) || !(await records.remove(nameOf(id), wait))) return false
      await records.remove(useNameOf(id), wait)
      return true
    },

    async lastUsed(id, wait) {
      if (!isTokenId(id)) return undefined
      try {
        const at = new Date((await records.read(useNameOf(id), wait))?.trim() ?? '')
        return Number.isNaN(at.getTime()) ? undefined : at
      } catch (error) {
        if (error instanceof SealedRecordError) return undefined
        throw error
      }
    },

    async recordUse(id, at, wait) {
      if (!isTokenId(id)) return
      await records.replace(useNameOf(id), `${at.toISOString()}\n`, wait)
      // Revoked meanwhile: who comes last removes what is left of it.
      if ((await records.read(nameOf(id), wait)) === undefined) await records.remove(useNameOf(id), wait)
    },
  }

  function damaged(id: string): DamagedTokenError {
    return new DamagedTokenError(records.where(nameOf(id)))
  }
}

export function hashOfSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}
