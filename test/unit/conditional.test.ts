// Conditional requests on content that a digest names (RFC 9110 section 13).

import { describe, expect, test } from 'vitest'
import { etagOf, ifRangeHolds, noneMatch } from '../../shared/protocol/conditional.ts'
import { sha256 } from '../support/arbitraries.ts'

const [digest, other] = [sha256('a'), sha256('b')]

test('the entity tag is strong and is the digest in quotes', () => {
  expect(etagOf(digest)).toBe(`"${digest}"`)
})

describe('If-None-Match', () => {
  test.each([
    ['our tag', `"${digest}"`],
    ['our tag made weak by a proxy', `W/"${digest}"`],
    ['our tag among others', `"${other}", "${digest}"`],
    ['our tag without spaces in the list', `"${other}","${digest}"`],
    ['a star', '*'],
  ])('holds with %s', (_, header) => {
    expect(noneMatch(header, digest)).toBe(true)
  })

  test.each([
    ['no header', undefined],
    ['an empty header', ''],
    ['another tag', `"${other}"`],
    ['the digest without quotes', digest],
    ['a part of our tag', `"${digest.slice(0, -1)}"`],
    ['our tag with a lower-case weakness mark', `w/"${digest}"`],
  ])('does not hold with %s', (_, header) => {
    expect(noneMatch(header, digest)).toBe(false)
  })
})

describe('If-Range', () => {
  test.each([
    ['no header', undefined, true],
    ['our tag', `"${digest}"`, true],
    ['our tag with spaces around', ` "${digest}" `, true],
    ['our tag made weak', `W/"${digest}"`, false],
    ['another tag', `"${other}"`, false],
    ['a date, since we send none', 'Wed, 21 Oct 2026 07:28:00 GMT', false],
    ['an empty header', '', false],
  ])('with %s: the range applies: %3$s', (_, header, expected) => {
    expect(ifRangeHolds(header, digest)).toBe(expected)
  })
})
