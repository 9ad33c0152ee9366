// The text of a personal access token.

import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  formatTokenText,
  isMeantAsToken,
  isTokenId,
  newTokenText,
  parseTokenText,
} from '../../origin/accounts/token-text.ts'

/** Made once; a later version must take it still. */
const sample = {
  id: 'abcdefgh2345',
  secret: '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg',
}

test('has a prefix, an id, a secret of 256 bits and a checksum', () => {
  expect(formatTokenText(newTokenText())).toMatch(/^mbp_[a-z2-7]{12}_[0-9A-Za-z]{43}[0-9A-Za-z]{6}$/)
  expect(43 * Math.log2(62)).toBeGreaterThan(256)
})

test('is read as it was written, and is another each time', () => {
  const made = Array.from({ length: 200 }, newTokenText)
  expect(made.map(formatTokenText).map(parseTokenText)).toEqual(made)
  expect(new Set(made.map(({ id }) => id)).size).toBe(200)
  expect(new Set(made.map(({ secret }) => secret)).size).toBe(200)
})

test('stays the same from version to version', () => {
  const text = 'mbp_abcdefgh2345_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg0PBZ94'
  expect(formatTokenText(sample)).toBe(text)
  expect(parseTokenText(text)).toEqual(sample)
})

test('with one character more, less or wrong is none', () => {
  const text = formatTokenText(sample)
  fc.assert(
    fc.property(
      fc.nat(text.length - 1),
      fc.constantFrom('x', '0', '_', '/', 'Z', ''),
      fc.boolean(),
      (at, other, insert) => {
        const changed = `${text.slice(0, at)}${other}${text.slice(insert ? at : at + 1)}`
        expect(parseTokenText(changed)).toEqual(changed === text ? sample : undefined)
      },
    ),
    { numRuns: 500 },
  )
  expect(parseTokenText(`${text}\n`)).toBeUndefined()
})

test.each([
  '../../../etc',
  'abcdefgh234',
  'abcdefgh23456',
  'ABCDEFGH2345',
  'abcdefgh234/',
  'abcdefgh2345\n',
  '',
  '............',
])('%j is no id', (id) => {
  expect(isTokenId(id)).toBe(false)
  expect(parseTokenText(formatTokenText({ ...sample, id }))).toBeUndefined()
})

test.each([
  ['mbp_', true],
  ['mbp_ whatever', true],
  ['mbp', false],
  ['MBP_x', false],
  [' mbp_', false],
])('whether %j is meant as one', (text, expected) => {
  expect(isMeantAsToken(text)).toBe(expected)
})
