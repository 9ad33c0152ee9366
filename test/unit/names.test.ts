// Repository names, tags and references: the grammars of OCI distribution-spec 1.1 at their boundaries.

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isContentName, parseReference, parseRepositoryName, parseTag } from '../../shared/protocol/names.ts'
import { charactersOf, digests, repository, repositoryNames, tags } from '../support/arbitraries.ts'

describe('a repository name', () => {
  test.each([
    ['one letter', 'a'],
    ['one digit', '0'],
    ['components', 'library/alpine/edge'],
    ['a dot between', 'a.b'],
    ['an underscore between', 'a_b'],
    ['two underscores between', 'a__b'],
    ['any number of dashes between', 'a-b--c---d'],
    ['words of routes', 'blobs/uploads/manifests/tags/list'],
    ['token, which is also a path of the token service', 'token'],
    ['255 characters, the longest', 'a'.repeat(255)],
    ['255 characters in components', `${'a/'.repeat(127)}a`],
  ])('may have %s', (_, text) => {
    expect(parseRepositoryName(text)).toBe(text)
  })

  test.each([
    ['nothing in it', ''],
    ['256 characters', 'a'.repeat(256)],
    ['upper case', 'Library/alpine'],
    ['a slash in front', '/a'],
    ['a slash behind', 'a/'],
    ['two slashes', 'a//b'],
    ['a dot in front', '.a'],
    ['a dot behind', 'a.'],
    ['two dots between', 'a..b'],
    ['`..` as a component', 'a/../b'],
    ['`.` as a component', './a'],
    ['an underscore in front', '_manifests'],
    ['an underscore behind', 'a_'],
    ['three underscores between', 'a___b'],
    ['a dash in front', '-a'],
    ['a dash behind', 'a-/b'],
    ['different separators together', 'a._b'],
    ['dash and underscore together', 'a-_b'],
    ['percent-encoding', 'a%2Fb'],
    ['a space', 'a b'],
    ['a newline at its end', 'a\n'],
    ['a NUL', 'a\0b'],
    ['a colon', 'localhost:5000/a'],
    ['an at sign', 'a@b'],
    ['a backslash', 'a\\b'],
    ['a letter beyond ASCII', 'ä'],
    ['a full-width letter', 'ａ'],
    ['a lower-case letter only by case folding (Kelvin sign)', '\u212A'],
  ])('cannot have %s', (_, text) => {
    expect(parseRepositoryName(text)).toBeUndefined()
  })

  test('is whatever follows the grammar', () => {
    fc.assert(fc.property(repositoryNames, (name) => parseRepositoryName(name) === name))
  })

  test('is nothing that breaks the grammar', () => {
    const unit = charactersOf('aZ0._-/%: ')
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 12 }), (text) => {
        expect(parseRepositoryName(text) !== undefined).toBe(text.split('/').every(isComponent))
      }),
    )
  })
})

/** The grammar again, read off the spec in another way: runs of alphanumerics with one separator between each two. */
function isComponent(text: string): boolean {
  const parts = text.split(/([a-z0-9]+)/)
  const separators = parts.filter((_, at) => at % 2 === 0)
  const inner = separators.slice(1, -1)
  return (
    parts.length > 1 &&
    separators[0] === '' &&
    separators.at(-1) === '' &&
    inner.every((each) => ['.', '_', '__'].includes(each) || /^-+$/.test(each))
  )
}

describe('a tag', () => {
  test.each([
    ['one letter', 'a'],
    ['one digit', '1'],
    ['an underscore in front', '_'],
    ['upper case', 'V1.0-RC'],
    ['separators behind', 'a.-_'],
    ['two dots', '1..2'],
    ['128 characters, the longest', 'a'.repeat(128)],
    ['the form of a referrers fallback', `sha256-${'a'.repeat(64)}`],
  ])('may have %s', (_, text) => {
    expect(parseTag(text)).toBe(text)
  })

  test.each([
    ['nothing in it', ''],
    ['129 characters', 'a'.repeat(129)],
    ['a dot in front', '.a'],
    ['only dots', '..'],
    ['a dash in front', '-a'],
    ['a slash', 'a/b'],
    ['a colon', 'a:b'],
    ['a plus', 'v1+2'],
    ['percent-encoding', 'a%2Fb'],
    ['a newline at its end', 'a\n'],
    ['a NUL', 'a\0'],
    ['a letter beyond ASCII', 'ä'],
  ])('cannot have %s', (_, text) => {
    expect(parseTag(text)).toBeUndefined()
  })
})

describe('a reference', () => {
  test('is a digest where it is one, and else a tag', () => {
    fc.assert(
      fc.property(digests, tags, (digest, tag) => {
        expect(parseReference(digest)).toEqual({ kind: 'digest', digest })
        expect(parseReference(tag)).toEqual({ kind: 'tag', tag })
      }),
    )
  })

  test.each([
    ['nothing', ''],
    ['a digest of another length', `sha256:${'a'.repeat(63)}`],
    ['a digest in upper case', `sha256:${'A'.repeat(64)}`],
    ['a digest of an unknown algorithm', `md5:${'a'.repeat(32)}`],
    ['tag and digest together', `latest@sha256:${'a'.repeat(64)}`],
  ])('is not %s', (_, text) => {
    expect(parseReference(text)).toBeUndefined()
  })

  test('of bare hex is a tag, not a digest', () => {
    expect(parseReference('a'.repeat(64))).toEqual({ kind: 'tag', tag: 'a'.repeat(64) })
  })
})

describe('a content name', () => {
  const cid = `bafybei${'a'.repeat(52)}`

  test.each([
    ['a CIDv1 of 59 characters', cid],
    ['every digit of base32', `bafybei${'abcdefghijklmnopqrstuvwxyz234567'.padEnd(52, '7')}`],
    ['64 hex digits', '0123456789abcdef'.repeat(4)],
    ['128 hex digits', '0123456789abcdef'.repeat(8)],
  ])('is %s', (_, text) => {
    expect(isContentName(repository(text))).toBe(true)
  })

  test.each([
    ['one character fewer', cid.slice(0, -1)],
    ['one character more', `${cid}a`],
    ['another codec (raw)', `bafkrei${'a'.repeat(52)}`],
    ['a digit that base32 does not have', `bafybei${'a'.repeat(51)}1`],
    ['a second component', `${cid}/a`],
    ['a component before it', `a/${cid}`],
    ['63 hex digits', 'a'.repeat(63)],
    ['65 hex digits', 'a'.repeat(65)],
    ['127 hex digits', 'a'.repeat(127)],
    ['129 hex digits', 'a'.repeat(129)],
    ['64 letters that are no hex', 'g'.repeat(64)],
    ['hex as one of two components', `a/${'a'.repeat(64)}`],
  ])('is not one with %s', (_, text) => {
    expect(isContentName(repository(text))).toBe(false)
  })
})
