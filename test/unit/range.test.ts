// Byte ranges of downloads (RFC 9110 section 14) and of chunks (OCI distribution-spec, "Pushing a blob in chunks").

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseChunkRange, parseRange, rangeLength } from '../../shared/protocol/range.ts'
import { charactersOf } from '../support/arbitraries.ts'

const sizes = fc.integer({ min: 0, max: 2 ** 48 })
const offsets = fc.integer({ min: 0, max: 2 ** 46 })

describe('a Range', () => {
  test.each([
    ['the first byte', 'bytes=0-0', 100, { start: 0, end: 0 }],
    ['a part', 'bytes=10-19', 100, { start: 10, end: 19 }],
    ['the last byte', 'bytes=99-99', 100, { start: 99, end: 99 }],
    ['from a byte on', 'bytes=50-', 100, { start: 50, end: 99 }],
    ['an end behind the last byte', 'bytes=50-100', 100, { start: 50, end: 99 }],
    ['a suffix', 'bytes=-10', 100, { start: 90, end: 99 }],
    ['a suffix of all', 'bytes=-100', 100, { start: 0, end: 99 }],
    ['a suffix of more than there is', 'bytes=-101', 100, { start: 0, end: 99 }],
    ['leading zeros', 'bytes=0010-0019', 100, { start: 10, end: 19 }],
    ['the unit in upper case', 'BYTES=0-1', 100, { start: 0, end: 1 }],
    ['spaces around', 'bytes= 0-1 ', 100, { start: 0, end: 1 }],
    ['the greatest end a client can write in 64 bits', 'bytes=50-9223372036854775807', 100, { start: 50, end: 99 }],
  ])('asks for %s', (_, header, sizeBytes, expected) => {
    expect(parseRange(header, sizeBytes)).toEqual(expected)
  })

  test.each([
    ['it begins behind the last byte', 'bytes=100-', 100],
    ['it lies behind the last byte', 'bytes=100-200', 100],
    ['it begins further on than any blob ends', 'bytes=9223372036854775807-', 100],
    ['it is a suffix of no byte', 'bytes=-0', 100],
    ['nothing is there', 'bytes=0-', 0],
    ['nothing is there to begin with', 'bytes=0-0', 0],
  ])('cannot be satisfied where %s', (_, header, sizeBytes) => {
    expect(parseRange(header, sizeBytes)).toBe('unsatisfiable')
  })

  test('is of the whole where a suffix of an empty blob is asked for (RFC 9110 section 14.1.2: it is satisfiable)', () => {
    expect(parseRange('bytes=-5', 0)).toBeUndefined()
  })

  test.each([
    ['there is none', undefined],
    ['it is empty', ''],
    ['it has no unit', '0-1'],
    ['it is of another unit', 'lines=0-1'],
    ['it has neither end', 'bytes=-'],
    ['it has nothing behind the unit', 'bytes='],
    ['its end lies before its start', 'bytes=5-4'],
    ['it is of several ranges', 'bytes=0-1,3-4'],
    ['it is of several ranges with spaces', 'bytes=0-1, 3-4'],
    ['it has a sign', 'bytes=+0-1'],
    ['it has three numbers', 'bytes=0-1-2'],
    ['it has hex', 'bytes=0x0-0x1'],
    ['it has an exponent', 'bytes=0-1e3'],
    ['it has spaces inside', 'bytes=0 - 1'],
    ['it has a newline', 'bytes=0-1\n'],
  ])('is of the whole where %s', (_, header) => {
    expect(parseRange(header, 100)).toBeUndefined()
  })

  test('always lies inside the content', () => {
    const headers = fc.oneof(
      fc.tuple(offsets, offsets).map(([start, end]) => `bytes=${start}-${end}`),
      offsets.map((start) => `bytes=${start}-`),
      offsets.map((suffix) => `bytes=-${suffix}`),
      fc.string({ unit: charactersOf('0123456789-=, bytes'), maxLength: 40 }).map((text) => `bytes=${text}`),
      fc.string(),
    )
    fc.assert(
      fc.property(headers, fc.oneof(sizes, fc.integer({ min: 0, max: 5 })), (header, sizeBytes) => {
        const range = parseRange(header, sizeBytes)
        if (range === undefined || range === 'unsatisfiable') return
        expect(Number.isSafeInteger(range.start) && Number.isSafeInteger(range.end)).toBe(true)
        expect(range.start).toBeGreaterThanOrEqual(0)
        expect(range.end).toBeGreaterThanOrEqual(range.start)
        expect(range.end).toBeLessThan(sizeBytes)
      }),
      { numRuns: 1000 },
    )
  })

  test('of a part that is there is that part', () => {
    fc.assert(
      fc.property(offsets, offsets, offsets, (start, more, behind) => {
        const range = { start, end: start + more }
        expect(parseRange(`bytes=${range.start}-${range.end}`, range.end + 1 + behind)).toEqual(range)
      }),
    )
  })
})

test('the length of a range counts both its ends', () => {
  expect(rangeLength({ start: 0, end: 0 })).toBe(1)
  expect(rangeLength({ start: 10, end: 19 })).toBe(10)
})

describe('a chunk range', () => {
  test.each([
    ['the form of the spec', '0-1023', { start: 0, end: 1023 }],
    ['one byte', '5-5', { start: 5, end: 5 }],
    ['the form of HTTP', 'bytes 0-9/10', { start: 0, end: 9 }],
    ['HTTP with an unknown size', 'bytes 10-19/*', { start: 10, end: 19 }],
    ['a unit with an equals sign', 'bytes=10-19', { start: 10, end: 19 }],
    ['spaces around', ' 0-9 ', { start: 0, end: 9 }],
    ['offsets of a terabyte', '1099511627776-1099511627777', { start: 1_099_511_627_776, end: 1_099_511_627_777 }],
  ])('may have %s', (_, header, expected) => {
    expect(parseChunkRange(header)).toEqual(expected)
  })

  test.each([
    ['nothing in it', ''],
    ['only a start', '0-'],
    ['only an end', '-9'],
    ['its end before its start', '10-9'],
    ['a sign', '+0-9'],
    ['numbers that are not exact', '0-9999999999999999'],
    ['another unit', 'lines 0-9/10'],
    ['a space that is none in HTTP', '0-9\u00a0'],
    ['several ranges', '0-1,2-3'],
    ['an unsatisfied range', 'bytes */10'],
    ['a size that ends before it does (RFC 9110 section 14.4: invalid)', 'bytes 0-9/9'],
  ])('cannot have %s', (_, header) => {
    expect(parseChunkRange(header)).toBeUndefined()
  })

  test('gives back any start and end', () => {
    fc.assert(
      fc.property(offsets, offsets, (start, more) => {
        expect(parseChunkRange(`${start}-${start + more}`)).toEqual({ start, end: start + more })
      }),
    )
  })
})
