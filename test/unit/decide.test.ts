// What an edge does with what it knows: every combination of facts.

import { describe, expect, test } from 'vitest'
import { decideContent, decideDelivery } from '../../shared/edge/decide.ts'
import { repository } from '../support/arbitraries.ts'

const names = {
  'a pushed name': repository('library/alpine'),
  'a CID': repository(`bafybei${'a'.repeat(52)}`),
  'a digest’s hex': repository('a'.repeat(64)),
  'a name that only holds hex': repository(`mirror/${'a'.repeat(64)}`),
} as const

describe('content', () => {
  test.each([
    ['a pushed name', true, true, 'serve'],
    ['a pushed name', true, false, 'ask-origin'],
    ['a pushed name', false, false, 'refuse'],
    ['a pushed name', false, true, 'refuse'],
    ['a CID', true, true, 'serve'],
    ['a CID', true, false, 'ask-origin'],
    ['a CID', false, false, 'ask-origin'],
    ['a CID', false, true, 'ask-origin'],
    ['a digest’s hex', false, false, 'ask-origin'],
    ['a digest’s hex', false, true, 'ask-origin'],
    ['a name that only holds hex', false, true, 'refuse'],
  ] as const)('under %s, linked: %s, there: %s: %s', (name, linked, present, expected) => {
    expect(decideContent(names[name], { linked, present })).toBe(expected)
  })
})

const away = 'https://registry.example.com/v2/a/blobs/x'
const here = 'http://127.0.0.1:8787/v2/a/blobs/x'
const bucket = 'https://bucket.example.com/b/key?X-Amz-Signature=1'
const localBucket = 'http://127.0.0.1:1971/mirrorball/key'

describe('a blob', () => {
  test.each([
    ['GET with a URL from anywhere', 'GET', bucket, away, 'redirect'],
    ['GET with a URL from this machine', 'GET', bucket, here, 'redirect'],
    ['GET with a loopback URL from this machine', 'GET', localBucket, here, 'redirect'],
    ['GET with a loopback URL from another machine', 'GET', localBucket, away, 'stream'],
    ['GET without a URL', 'GET', undefined, here, 'stream'],
    ['HEAD with a URL', 'HEAD', bucket, away, 'head'],
    ['HEAD without a URL', 'HEAD', undefined, away, 'head'],
  ])('of a %s is delivered by %5$s', (_, method, link, requestUrl, expected) => {
    expect(decideDelivery(method, link, requestUrl)).toBe(expected)
  })

  test.each([
    ['an address of 127/8', 'http://127.8.9.1:1971/b'],
    ['localhost', 'http://localhost:1971/b'],
    ['a name under localhost', 'http://bucket.localhost:1971/b'],
    ['IPv6', 'http://[::1]:1971/b'],
    ['a short form of 127.0.0.1', 'http://127.1:1971/b'],
  ])('whose URL is of %s leads nowhere from another machine, so it is streamed', (_, link) => {
    expect(decideDelivery('GET', link, away)).toBe('stream')
  })

  test.each([
    ['a name that begins alike', 'http://localhost.example.com/b'],
    ['a name that ends alike', 'http://notlocalhost/b'],
    ['a name of digits', 'http://127.0.0.1.example.com/b'],
    ['a private address, which others may reach', 'http://192.168.1.5:1971/b'],
  ])('whose URL is of %s is redirected to', (_, link) => {
    expect(decideDelivery('GET', link, away)).toBe('redirect')
  })
})
