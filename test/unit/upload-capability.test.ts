// What makes a capability of an upload good, and all that does not.

import { createHmac, generateKeyPairSync, randomBytes } from 'node:crypto'
import { type JWTPayload, SignJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import { createUploadCapabilities, type UploadGrant } from '../../shared/auth/upload-capability.ts'
import type { RepositoryName } from '../../shared/protocol/names.ts'
import { createFakeClock } from '../support/fake-clock.ts'

const lifeMs = 3600_000
const key = randomBytes(32)
const clock = createFakeClock()
const capabilities = createUploadCapabilities({ key, lifeMs, clock })

const name = 'team/app' as RepositoryName
const grant: UploadGrant = { name, id: 'an-upload', user: 'alice' }

describe('a capability', () => {
  test.each([
    ['of a user', 'alice'],
    ['of an anonymous client', undefined],
  ])('%s says whose the upload is', async (_, user) => {
    expect(await capabilities.verify(await capabilities.issue({ ...grant, user }), grant)).toEqual({ user })
  })

  test('can stand in a URL as it is', async () => {
    const capability = await capabilities.issue({ ...grant, id: `/?&#+ ${'ü'.repeat(100)}` })
    expect(encodeURIComponent(capability)).toBe(capability)
  })

  test('is for one upload in one repository', async () => {
    const capability = await capabilities.issue(grant)
    for (const other of [
      { name, id: 'another' },
      { name: 'team/other' as RepositoryName, id: grant.id },
      { name: 'team/ap' as RepositoryName, id: 'p/an-upload' },
    ])
      expect(await capabilities.verify(capability, other)).toBeUndefined()
  })

  test('ends in time', async () => {
    const capability = await capabilities.issue(grant)
    clock.advance(lifeMs - 1000)
    expect(await capabilities.verify(capability, grant)).toEqual({ user: 'alice' })
    clock.advance(1000)
    expect(await capabilities.verify(capability, grant)).toBeUndefined()
  })
})

describe('not good is', () => {
  const header = { alg: 'HS256', typ: 'upload+jwt' }
  const claims = (changes: JWTPayload = {}): JWTPayload => ({
    repository: name,
    upload: grant.id,
    sub: 'alice',
    exp: Math.floor(clock.now() / 1000) + 60,
    ...changes,
  })
  const signed = (by: Uint8Array, more: object = {}, payload = claims()) =>
    new SignJWT(payload).setProtectedHeader({ ...header, ...more }).sign(by)
  const encoded = (part: unknown) => Buffer.from(JSON.stringify(part)).toString('base64url')
  const assembled = (head: object, payload: unknown, hash?: 'sha256' | 'sha512') => {
    const input = `${encoded(head)}.${encoded(payload)}`
    return `${input}.${hash === undefined ? '' : createHmac(hash, key).update(input).digest('base64url')}`
  }
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })

  const forged: Readonly<Record<string, () => string | Promise<string>>> = {
    'one by another key': () => signed(randomBytes(32)),
    'one by an empty key': () => assembled(header, claims()),
    'alg none': () => assembled({ ...header, alg: 'none' }, claims()),
    'another algorithm with the right key': () => assembled({ ...header, alg: 'HS512' }, claims(), 'sha512'),
    'one by a key pair': () => new SignJWT(claims()).setProtectedHeader({ ...header, alg: 'ES256' }).sign(privateKey),
    'the key in the header': () => signed(randomBytes(32), { jwk: { kty: 'oct', k: 'AAAA' } }),
    'the type of an access token': () => signed(key, { typ: 'at+jwt' }),
    'no type': () => assembled({ alg: 'HS256' }, claims(), 'sha256'),
    'something critical that nobody knows': () => assembled({ ...header, crit: ['x'], x: 1 }, claims(), 'sha256'),
    'no end': () => assembled(header, { ...claims(), exp: undefined }, 'sha256'),
    'an end that is a text': () => assembled(header, { ...claims(), exp: '9999999999' }, 'sha256'),
    'an end in the past': () => signed(key, {}, claims({ exp: Math.floor(clock.now() / 1000) - 1 })),
    'a beginning in the future': () => signed(key, {}, claims({ nbf: Math.floor(clock.now() / 1000) + 60 })),
    'no upload': () => assembled(header, { ...claims(), upload: undefined }, 'sha256'),
    'uploads in a list': () => signed(key, {}, claims({ upload: [grant.id] })),
    'no repository': () => assembled(header, { ...claims(), repository: undefined }, 'sha256'),
    'a subject that is no user name': () => signed(key, {}, claims({ sub: 'a b' })),
    'other claims under a good signature': async () => {
      const [head, , signature] = (await signed(key)).split('.')
      return `${head}.${encoded(claims({ sub: 'root' }))}.${signature}`
    },
    'claims that are a list': () => assembled(header, [claims()], 'sha256'),
    nothing: () => '',
    'a word': () => 'capability',
    dots: () => '..',
    '100,000 characters': () => 'A'.repeat(100_000),
  }

  test.each(Object.entries(forged))('%s', async (_, make) => {
    expect(await capabilities.verify(await make(), grant)).toBeUndefined()
  })

  test('none of these because of how they are made', async () => {
    expect(await capabilities.verify(await signed(key), grant)).toEqual({ user: 'alice' })
    expect(await capabilities.verify(assembled(header, claims(), 'sha256'), grant)).toEqual({ user: 'alice' })
  })
})
