// Digests: what is one, its parts, and that ours are those that others compute.

import { hash } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  algorithmOf,
  type DigestAlgorithm,
  digestFrom,
  digestOf,
  hexOf,
  parseAlgorithm,
  parseDigest,
} from '../../shared/protocol/digest.ts'
import { digest, digests } from '../support/arbitraries.ts'

const hex = 'a'.repeat(64)

test.each([`sha256:${hex}`, `sha256:${'0123456789abcdef'.repeat(4)}`, `sha512:${hex}${hex}`])(
  '%s is a digest',
  (text) => {
    expect(parseDigest(text)).toBe(text)
  },
)

test.each([
  ['nothing', ''],
  ['a colon alone', ':'],
  ['no algorithm', `:${hex}`],
  ['no hex', 'sha256:'],
  ['no colon', `sha256${hex}`],
  ['one digit too few', `sha256:${hex.slice(1)}`],
  ['one digit too many', `sha256:${hex}a`],
  ['the length of the other algorithm', `sha256:${hex}${hex}`],
  ['too short for its algorithm', `sha512:${hex}`],
  ['upper-case hex', `sha256:${'A'.repeat(64)}`],
  ['an upper-case algorithm', `SHA256:${hex}`],
  ['a letter that is no hex digit', `sha256:${'g'.repeat(64)}`],
  ['an algorithm we cannot verify', `sha384:${'a'.repeat(96)}`],
  ['an algorithm of parts', `sha256+b64:${hex}`],
  ['the name of an inherited property', `toString:${hex}`],
  ['the name of a prototype', `__proto__:${hex}`],
  ['another separator', `sha256-${hex}`],
  ['two colons', `sha256::${hex.slice(1)}`],
  ['percent-encoding', `sha256%3A${hex}`],
  ['a newline at the end', `sha256:${hex}\n`],
  ['a newline among the hex', `sha256:${hex.slice(1)}\n`],
  ['spaces around', ` sha256:${hex}`],
  ['a digit beyond ASCII', `sha256:${hex.slice(1)}\u0661`],
  ['a path', `sha256:../../../${hex.slice(9)}`],
])('%s is no digest', (_, text) => {
  expect(parseDigest(text)).toBeUndefined()
})

test.each(['sha256', 'sha512'])('the algorithm %s is known', (text) => {
  expect(parseAlgorithm(text)).toBe(text)
})

test.each(['', 'sha1', 'SHA256', 'toString', '__proto__', 'constructor', 'hasOwnProperty'])(
  'the algorithm %j is not known',
  (text) => {
    expect(parseAlgorithm(text)).toBeUndefined()
  },
)

test('algorithm and hex of a digest put together are the digest', () => {
  fc.assert(fc.property(digests, (each) => digestFrom(algorithmOf(each), hexOf(each)) === each))
})

describe.each<DigestAlgorithm>(['sha256', 'sha512'])('digestOf by %s', (algorithm) => {
  test('agrees with another implementation on all bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        expect(await digestOf(new Uint8Array(bytes), algorithm)).toBe(`${algorithm}:${hash(algorithm, bytes)}`)
      }),
    )
  })

  test('gives what parseDigest takes', async () => {
    const made = await digestOf(new Uint8Array(), algorithm)
    expect(parseDigest(made)).toBe(made)
  })
})

test('digestOf takes sha256 unless told otherwise, and a view of a larger buffer is hashed alone', async () => {
  const bytes = new TextEncoder().encode('xabcx').subarray(1, 4)
  expect(await digestOf(bytes)).toBe(digest('sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'))
})
