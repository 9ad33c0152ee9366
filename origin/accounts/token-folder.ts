// Personal access tokens on disk: a file each, named by the token's id, with a hash of its secret. Whoever shares the
// folder sees a new token, and misses a revoked one, at once.

import { createHash } from 'node:crypto'
import { readdir, readFile, rm, stat, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { rights } from '../../shared/protocol/rights.ts'
import type { TokenLimit } from '../../shared/ports/accounts.ts'
import { parseJson } from '../../shared/protocol/json.ts'
import { isMissing } from '../bucket/durable-folder.ts'
import { syncFolder, writeNewFile } from './private-file.ts'
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

export interface TokenFolder {
  /** When it resolves the token is there for good. */
  create(token: NewToken): Promise<CreatedToken>

  /** @throws DamagedTokenError */
  read(id: string): Promise<Token | undefined>

  /** Ids, in no order; some may be of damaged files. */
  ids(): Promise<readonly string[]>

  /** Also removes a damaged one. When it resolves the token is gone for good. @returns whether it was there */
  remove(id: string): Promise<boolean>

  /** When a token was last used, as far as that is known. */
  lastUsed(id: string): Promise<Date | undefined>

  recordUse(id: string, at: Date): Promise<void>
}

/** A token's file that is none of ours, or of a version that we do not know. */
export class DamagedTokenError extends Error {
  override readonly name = 'DamagedTokenError'

  constructor(file: string) {
    super(`${file} is damaged, or of a later version; its token is refused. mirrorball token revoke removes it`)
  }
}

/** @param folder need not be there; it is made with the first token */
export function openTokenFolder(folder: string): TokenFolder {
  const fileOf = (id: string) => join(folder, `${id}.json`)
  /** Beside the token, not in it: a token that is written again for its use could come back after it was revoked. */
  const useFileOf = (id: string) => join(folder, `${id}.used`)

  return {
    async create({ user, name, limits, created, expires }) {
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
        if (await writeNewFile(fileOf(made.id), `${JSON.stringify(token, undefined, 2)}\n`))
          return { token, text: formatTokenText(made) }
      }
    },

    async read(id) {
      if (!isTokenId(id)) return undefined
      const file = fileOf(id)
      let bytes
      try {
        bytes = await readFile(file)
      } catch (error) {
        if (isMissing(error)) return undefined
        throw error
      }
      const parsed = v.safeParse(tokenSchema, parseJson(bytes))
      // A file under another token's name would stand for both.
      if (!parsed.success || parsed.output.id !== id) throw new DamagedTokenError(file)
      return parsed.output
    },

    async ids() {
      try {
        const names = await readdir(folder)
        return names.map((name) => /^(.*)\.json$/.exec(name)?.[1] ?? '').filter(isTokenId)
      } catch (error) {
        if (isMissing(error)) return []
        throw error
      }
    },

    async remove(id) {
      if (!isTokenId(id)) return false
      try {
        await unlink(fileOf(id))
      } catch (error) {
        if (isMissing(error)) return false
        throw error
      }
      await rm(useFileOf(id), { force: true })
      await syncFolder(folder)
      return true
    },

    async lastUsed(id) {
      if (!isTokenId(id)) return undefined
      try {
        const at = new Date((await readFile(useFileOf(id), 'utf8')).trim())
        return Number.isNaN(at.getTime()) ? undefined : at
      } catch (error) {
        if (isMissing(error)) return undefined
        throw error
      }
    },

    async recordUse(id, at) {
      if (!isTokenId(id)) return
      await writeFile(useFileOf(id), `${at.toISOString()}\n`, { mode: 0o600 })
      // Revoked meanwhile: who comes last removes what is left of it.
      await stat(fileOf(id)).catch(() => rm(useFileOf(id), { force: true }))
    },
  }
}

export function hashOfSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}
