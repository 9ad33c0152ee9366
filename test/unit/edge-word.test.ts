// What an edge says of its clients: believed from an edge alone, and for a minute.

import { randomBytes } from 'node:crypto'
import { SignJWT } from 'jose'
import { expect, test } from 'vitest'
import { createEdgeWord } from '../../shared/auth/edge-word.ts'
import { clockToleranceSeconds } from '../../shared/auth/token.ts'
import type { ClientInfo } from '../../shared/ports/client-info.ts'
import { createFakeClock } from '../support/fake-clock.ts'

const key = randomBytes(32)
const clock = createFakeClock()
const word = createEdgeWord({ key, clock })
const client: ClientInfo = { address: '2001:db8::7', scheme: 'https', host: 'registry.example:8443' }

test.each([
  ['whose address is known', client],
  ['whose address is not', { ...client, address: undefined }],
])('a client %s comes out as it went in', async (_, sent) => {
  expect(await word.verify(await word.sign(sent))).toEqual(sent)
})

test('a word is good for a minute, and for what clocks may differ', async () => {
  const said = await word.sign(client)
  clock.advance((59 + clockToleranceSeconds) * 1000)
  expect(await word.verify(said)).toEqual(client)
  clock.advance(2000)
  expect(await word.verify(said)).toBeUndefined()
})

test('nobody else is believed', async () => {
  const exp = Math.floor(clock.now() / 1000) + 60
  const claims = { ...client, exp }
  const signed = (by: Uint8Array, header: object, payload: object = claims) =>
    new SignJWT({ ...payload }).setProtectedHeader({ alg: 'HS256', typ: 'client+jwt', ...header }).sign(by)
  const encoded = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
  expect(await word.verify(await signed(key, {}))).toEqual(client)
  for (const said of [
    await createEdgeWord({ key: randomBytes(32), clock }).sign(client),
    `${encoded({ alg: 'none', typ: 'client+jwt' })}.${encoded(claims)}.`,
    await signed(key, { typ: 'upload+jwt' }),
    await signed(key, {}, { ...claims, scheme: 'gopher' }),
    await signed(key, {}, { ...claims, host: undefined }),
    await signed(key, {}, { ...claims, exp: undefined }),
    '203.0.113.9',
    '',
  ])
    expect(await word.verify(said)).toBeUndefined()
})
