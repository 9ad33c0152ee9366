// What is sealed can be read by who has the secret, where it was put, and nowhere else.

import { createCipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { createSeal } from '../../origin/accounts/seal.ts'

const secret = 'a-secret-of-all-origins-of-the-test'
const text = '{"d":"a private key, with ü"}'
const seal = await createSeal(secret)
const sealed = async (place = 'here') => new Uint8Array(await seal.close(place, text))

test('what was sealed is opened by everyone with the secret', async () => {
  expect(await seal.open('here', await sealed())).toBe(text)
  expect(await (await createSeal(secret)).open('here', await sealed())).toBe(text)
  expect(await seal.open('here', new Uint8Array(await seal.close('here', '')))).toBe('')
})

test('sealed twice it is never the same, and shows nothing of the text', async () => {
  const [one, two] = [await sealed(), await sealed()]
  expect(Buffer.from(one).equals(two)).toBe(false)
  // Nonces that came twice would give both texts away.
  expect(Buffer.from(one.subarray(1, 13)).equals(two.subarray(1, 13))).toBe(false)
  expect(Buffer.from(one).toString('latin1')).not.toMatch(/private|key/)
})

test('with another secret it cannot be opened', async () => {
  expect(await (await createSeal(`${secret}.`)).open('here', await sealed())).toBeUndefined()
})

test('in another place it cannot be opened', async () => {
  expect(await seal.open('there', await sealed('here'))).toBeUndefined()
})

test('with any byte changed, cut off or added it cannot be opened', async () => {
  const whole = await sealed()
  for (let at = 0; at < whole.byteLength; at++) {
    const changed = whole.slice()
    changed[at] = (changed[at] ?? 0) ^ 1
    expect([at, await seal.open('here', changed)]).toEqual([at, undefined])
    expect([at, await seal.open('here', whole.slice(0, at))]).toEqual([at, undefined])
  }
  expect(await seal.open('here', new Uint8Array([...whole, 0]))).toBeUndefined()
})

test('what was sealed in this form is opened by every later version', async () => {
  const place = 'mirrorball/accounts/upload-key'
  const key = hkdfSync('sha256', secret, '', 'mirrorball accounts', 32)
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', new Uint8Array(key), nonce).setAAD(Buffer.from(`1 ${place}`))
  const parts = [Buffer.of(1), nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]
  expect(await seal.open(place, new Uint8Array(Buffer.concat(parts)))).toBe(text)
})
