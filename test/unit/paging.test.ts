// The paging parameters and the Link header (OCI distribution-spec 1.1, "Listing Tags"; RFC 8288).

import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { OciError } from '../../shared/protocol/errors.ts'
import { nextPageLink, parsePageRequest } from '../../shared/protocol/paging.ts'

test.each([
  ['', { limit: undefined, after: undefined }],
  ['n=0', { limit: 0, after: undefined }],
  ['n=1', { limit: 1, after: undefined }],
  ['n=999999999', { limit: 999_999_999, after: undefined }],
  ['last=v1', { limit: undefined, after: 'v1' }],
  ['last=', { limit: undefined, after: '' }],
  ['n=10&last=v1', { limit: 10, after: 'v1' }],
  ['last=a%2Fb', { limit: undefined, after: 'a/b' }],
  ['n=5&n=7', { limit: 5, after: undefined }],
])('the query %j asks for %j', (query, expected) => {
  expect(parsePageRequest(new URLSearchParams(query))).toEqual(expected)
})

test.each([
  'n=',
  'n=-1',
  'n=+1',
  'n=1.5',
  'n=1e3',
  'n=0x10',
  'n=abc',
  'n=%201',
  'n=NaN',
  'n=Infinity',
  `n=${'9'.repeat(400)}`,
])('the query %s is refused with 400', (query) => {
  const parse = () => parsePageRequest(new URLSearchParams(query))
  expect(parse).toThrow(OciError)
  expect(parse).toThrow(expect.objectContaining({ status: 400 }))
})

test('the next link asks for what follows, whatever the last entry was called', () => {
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: 0, max: 999_999_999 }), (last, limit) => {
      const link = nextPageLink('/v2/a/b/tags/list', limit, last)
      const match = /^<(\/v2\/a\/b\/tags\/list)\?([^<>"\s;]*)>; rel="next"$/.exec(link)
      expect(parsePageRequest(new URLSearchParams(match?.[2]))).toEqual({ limit, after: last.toWellFormed() })
    }),
  )
})
