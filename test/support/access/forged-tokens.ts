// Tokens that a registry did not issue, signed with its own key or another one.

import { createHmac } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { exportJWK, exportSPKI, generateKeyPair, importJWK, type JWK, type JWTPayload, SignJWT } from 'jose'
import type { SigningKey } from '../../../shared/auth/token.ts'

type Key = SigningKey['key']

export interface OwnKey {
  readonly id: string
  readonly key: Key
  /** Without its secret part. */
  readonly published: JWK
}

/** The key that an origin signs with. */
export async function ownKey(dataFolder: string): Promise<OwnKey> {
  const file = await readFile(join(dataFolder, 'accounts', 'token-key.json'), 'utf8')
  const { current: jwk } = JSON.parse(file) as { current: JWK }
  const { d: _, ...published } = jwk
  return { id: jwk.kid ?? '', key: (await importJWK(jwk, 'ES256')) as Key, published }
}

export async function otherKey(): Promise<Key> {
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
    catalog: ['**'],
    access: [{ name, granted: ['pull', 'push', 'delete'], refused: [] }],
    ...changes,
  }
}

/** @param header beside the algorithm, which is ES256 */
export function signed(key: Key, header: object, claims: JWTPayload): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', ...header }).sign(key)
}

/** A token of any header and claims, with a signature made in any way. */
function assembled(header: object, claims: object, sign: (input: string) => string): string {
  const encoded = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  return `${encoded}.${sign(encoded)}`
}

function hmac(key: string | Buffer): (input: string) => string {
  return (input) => createHmac('sha256', key).update(input).digest('base64url')
}

/** Tokens that say all rights in a repository and that nobody may believe, by what is wrong with them. */
export async function forgedTokens(own: OwnKey, name: string): Promise<ReadonlyMap<string, string>> {
  const { id: kid, key, published } = own
  const theirs = await otherKey()
  const { d: _, ...theirJwk } = await exportJWK(theirs)
  const claims = claimsFor(name)
  const good = await signed(key, { kid }, claims)
  const [head = '', body = '', signature = ''] = good.split('.')
  const now = Math.floor(Date.now() / 1000)
  const header = { typ: 'at+jwt', kid }
  const spki = await exportSPKI((await importJWK(published, 'ES256')) as Key)
  const own64 = Buffer.from(published.x ?? '', 'base64url')
  const byOwn = (changes: JWTPayload, more: object = {}) => signed(key, { kid, ...more }, claimsFor(name, changes))
  const byTheirs = (more: object) => signed(theirs, more, claims)
  const without = (...names: string[]) =>
    signed(key, { kid }, Object.fromEntries(Object.entries(claims).filter(([each]) => !names.includes(each))))
  const access = (value: unknown) => byOwn({ access: value })
  const one = { name, granted: ['pull'], refused: [] }
  const wrong: Record<string, string | Promise<string>> = {
    'alg none': assembled({ ...header, alg: 'none' }, claims, () => ''),
    'alg None': assembled({ ...header, alg: 'None' }, claims, () => ''),
    'alg none with a signature': assembled({ ...header, alg: 'none' }, claims, () => signature),
    'no alg': assembled(header, claims, () => signature),
    'an alg that is a list': assembled({ ...header, alg: ['ES256'] }, claims, () => signature),
    'HS256 with the public key': assembled({ ...header, alg: 'HS256' }, claims, hmac(JSON.stringify(published))),
    'HS256 with the public key as PEM': assembled({ ...header, alg: 'HS256' }, claims, hmac(spki)),
    'HS256 with the bytes of the public key': assembled({ ...header, alg: 'HS256' }, claims, hmac(own64)),
    'HS256 with nothing': assembled({ ...header, alg: 'HS256' }, claims, hmac('')),
    'ES256 and HMAC': assembled({ ...header, alg: 'ES256' }, claims, hmac(spki)),
    'a signature of zeros': `${head}.${body}.${Buffer.alloc(64).toString('base64url')}`,
    'an empty signature': `${head}.${body}.`,
    'no signature': `${head}.${body}`,
    'half a signature': `${head}.${body}.${signature.slice(0, 43)}`,
    'other claims under a good signature': assembled(
      JSON.parse(Buffer.from(head, 'base64url').toString()) as object,
      { ...claims, sub: 'root' },
      () => signature,
    ),
    'the key in the header': byTheirs({ kid, jwk: theirJwk }),
    'the key in the header, and no kid': byTheirs({ jwk: theirJwk }),
    'a jku': byTheirs({ kid, jku: 'http://127.0.0.1:9/keys.json' }),
    'an x5u': byTheirs({ kid, x5u: 'http://127.0.0.1:9/key.pem' }),
    'an x5c': byTheirs({ kid, x5c: [Buffer.from(spki).toString('base64')] }),
    'no kid': signed(key, {}, claims),
    'a kid of another key': signed(key, { kid: 'unknown' }, claims),
    'a kid that is a path': byTheirs({ kid: '../../accounts/token-key.json' }),
    'a kid that is a device': assembled({ alg: 'HS256', typ: 'at+jwt', kid: '/dev/null' }, claims, hmac('')),
    'a kid that all objects have': byTheirs({ kid: '__proto__' }),
    'a kid of 6,000 characters': byTheirs({ kid: 'k'.repeat(6000) }),
    'a kid that is a number': assembled({ ...header, alg: 'ES256', kid: 0 }, claims, () => signature),
    'a kid that is an object': assembled({ ...header, alg: 'ES256', kid: { [kid]: kid } }, claims, () => signature),
    'something critical that nobody knows': assembled(
      { ...header, alg: 'ES256', crit: ['x'], x: 1 },
      claims,
      () => signature,
    ),
    'the type of a refresh token': byOwn({}, { typ: 'rt+jwt' }),
    'the type JWT': byOwn({}, { typ: 'JWT' }),
    'another audience': byOwn({ aud: 'other' }),
    'another issuer': byOwn({ iss: 'other' }),
    'no audience': without('aud'),
    'no issuer': without('iss'),
    'no subject': without('sub'),
    'no id': without('jti'),
    'no time of issue': without('iat'),
    'no end': without('exp'),
    'no access': without('access'),
    'an end in the past': byOwn({ iat: now - 400, exp: now - 100 }),
    'an end that is a text': byOwn({ exp: `${now + 300}` as unknown as number }),
    'a beginning in the future': byOwn({ nbf: now + 100 }),
    'a subject that is no user name': byOwn({ sub: 'a b' }),
    'an empty subject': byOwn({ sub: '' }),
    'a subject that is a list': byOwn({ sub: ['admin'] as unknown as string }),
    'access that is a text': access(`repository:${name}:pull`),
    'access that is an object': access({ name, granted: ['pull'], refused: [] }),
    'access to what is no name': access([one, { ...one, name: 'Private/APP' }]),
    'access to a pattern': access([{ ...one, name: '**' }]),
    'a right that nobody knows': access([{ ...one, granted: ['pull', 'root'] }]),
    'rights that are a text': access([{ ...one, granted: 'pull' }]),
    'access 1,000 lists deep': access(Array.from({ length: 1000 }).reduce<unknown[]>((inner) => [inner], [one])),
    'a catalog that is a text': byOwn({ catalog: '**' }),
    'a catalog of what is no pattern': byOwn({ catalog: ['(.*)*'] }),
    'claims that are a list': assembled({ ...header, alg: 'ES256' }, [claims], () => signature),
    'no JSON': `${head}.${Buffer.from('{').toString('base64url')}.${signature}`,
    'four parts': `${good}.`,
    'five parts, as if encrypted': `${good}.a.b`,
    'dots alone': '..',
    'JSON as it is': JSON.stringify(claims).replaceAll(' ', ''),
  }
  return new Map(await Promise.all(Object.entries(wrong).map(async ([what, token]) => [what, await token] as const)))
}
