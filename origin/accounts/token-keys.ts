// The keys that tokens are signed with: made once, kept beside the bucket, and only their public halves in it.

import { exportJWK, generateKeyPair, importJWK, type JWK } from 'jose'
import { randomBytes } from 'node:crypto'
import * as v from 'valibot'
import type { PublicKey } from '../../shared/auth/published-keys.ts'
import { algorithm, type SigningKey } from '../../shared/auth/token.ts'
import { keyInFile, type KeyFormat } from './key-file.ts'

const privateKeySchema = v.object({
  kty: v.literal('EC'),
  crv: v.literal('P-256'),
  x: v.string(),
  y: v.string(),
  d: v.string(),
  kid: v.pipe(v.string(), v.minLength(1)),
})

type PrivateKey = v.InferOutput<typeof privateKeySchema>

const format: KeyFormat<PrivateKey> = {
  async make() {
    const { privateKey } = await generateKeyPair(algorithm, { extractable: true })
    const jwk: JWK = await exportJWK(privateKey)
    return v.parse(privateKeySchema, { ...jwk, kid: randomBytes(9).toString('base64url') })
  },
  write: (key) => `${JSON.stringify(key)}\n`,
  parse: (text) => v.parse(privateKeySchema, JSON.parse(text)),
}

export interface TokenKey {
  readonly signing: SigningKey
  readonly published: PublicKey
}

/**
 * The key in `file`; it is made where it is missing. Processes that start at once agree on one.
 * @throws Error where the file is damaged, naming it
 */
export async function tokenKey(file: string): Promise<TokenKey> {
  const { d, ...published } = await keyInFile(file, format)
  const key = await importJWK({ ...published, d }, algorithm)
  return { signing: { id: published.kid, key: key as SigningKey['key'] }, published }
}
