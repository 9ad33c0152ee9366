// Tokens that a registry did not issue, signed with its own key or another one.

import { createHmac } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { generateKeyPair, importJWK, type JWK, type JWTPayload, SignJWT } from 'jose'
import type { SigningKey } from '../../shared/auth/token.ts'

export interface OwnKey {
  readonly id: string
  readonly key: SigningKey['key']
  readonly jwk: JWK
}

/** The key that an origin signs with. */
export async function ownKey(dataFolder: string): Promise<OwnKey> {
  const jwk = JSON.parse(await readFile(join(dataFolder, 'accounts', 'token-key.json'), 'utf8')) as JWK
  return { id: jwk.kid ?? '', key: (await importJWK(jwk, 'ES256')) as SigningKey['key'], jwk }
}

export async function otherKey(): Promise<SigningKey['key']> {
  return (await generateKeyPair('ES256', { extractable: true })).privateKey
}

/** Claims as the origin writes them, for all rights of an administrator in one repository. */
export function claimsFor(name: string, changes: JWTPayload = {}): JWTPayload {
  const now = Math.floor(Date.now() / 1000)
  return {
    iss: 'mirrorball',
    aud: 'mirrorball',
    sub: 'admin',
    jti: 'forged',
    iat: now,
    exp: now + 300,
    catalog: true,
    access: [{ name, granted: ['pull', 'push', 'delete'], refused: [] }],
    ...changes,
  }
}

/** @param header beside the algorithm, which is ES256 */
export function signed(key: SigningKey['key'], header: object, claims: JWTPayload): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', ...header }).sign(key)
}

/** A token of any header, with a signature made by hand. */
export function assembled(header: object, claims: JWTPayload, sign: (input: string) => string): string {
  const encoded = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  return `${encoded}.${sign(encoded)}`
}

export function hmac(key: string | Buffer): (input: string) => string {
  return (input) => createHmac('sha256', key).update(input).digest('base64url')
}
