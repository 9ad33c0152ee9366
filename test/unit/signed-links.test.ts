// Presigned URLs and signed headers, made by the edge's side and checked by the bucket's: what one signs the other takes,
// and nothing else.

import { AwsV4Signer } from 'aws4fetch'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createSignatureCheck, type SignatureRules } from '../../origin/bucket/verify-signature.ts'
import {
  amzDate,
  type BucketAccess,
  createPresign,
  createSignedLinks,
  linkValidSeconds,
} from '../../shared/edge/signed-links.ts'
import { blobKey } from '../../shared/layout/keys.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { digests, sha256 } from '../support/arbitraries.ts'

const key = { accessKeyId: 'mirrorball01', secretAccessKey: 'a secret of the test' }
const access: BucketAccess = { ...key, url: 'http://127.0.0.1:1971/mirrorball', region: 'auto' }
const rules: SignatureRules = { key, region: 'auto' }
const blob = blobKey(sha256('a layer'))
const quarterMs = 15 * 60_000
const start = Date.UTC(2026, 0, 1, 12, 0)
const second = 1000

const linkAt = (nowMs: number, from: BucketAccess = access) =>
  createSignedLinks(from, createFakeClock(nowMs)).link(blob)
/** One check for all with the same rules, as a server has: what it remembers must not make it careless. */
const checks = new Map<SignatureRules, ReturnType<typeof createSignatureCheck>>()

function signatureFault(request: Request, checked: SignatureRules, nowMs: number): Promise<string | undefined> {
  const check = checks.get(checked) ?? createSignatureCheck(checked)
  checks.set(checked, check)
  return check(request, new URL(request.url), nowMs)
}

const fault = (url: string, nowMs: number, method = 'GET', checked = rules) =>
  signatureFault(new Request(url, { method }), checked, nowMs)

describe('a signed link', () => {
  test('is accepted whenever it was made, for three quarters of an hour at least', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(10 * 365 * 24 * 3600 * second), digests, async (sinceStart, digest) => {
        const now = start + sinceStart
        const url = await createSignedLinks(access, createFakeClock(now)).link(blobKey(digest))
        expect(await fault(url, now)).toBeUndefined()
        expect(await fault(url, now + 45 * 60 * second)).toBeUndefined()
        expect(await fault(url, now + linkValidSeconds * second)).toMatch(/expired/)
      }),
    )
  })

  test('leads to the object, with nothing of the secret in it', async () => {
    const url = new URL(await linkAt(start))
    expect(url.origin + url.pathname).toBe(`${access.url}/${blob}`)
    expect(url.href).not.toContain(encodeURIComponent(key.secretAccessKey))
    expect(url.searchParams.get('X-Amz-Expires')).toBe('3600')
  })

  test('is the same for a quarter of an hour, then another', async () => {
    const clock = createFakeClock(start)
    const links = createSignedLinks(access, clock)
    const first = await links.link(blob)
    clock.advance(quarterMs - 1)
    expect(await links.link(blob)).toBe(first)
    clock.advance(1)
    expect(await links.link(blob)).not.toBe(first)
  })

  test('is the same from every edge', async () => {
    expect(await linkAt(start + 1)).toBe(await linkAt(start + quarterMs - 1))
  })

  test('is refused from the second on in which it expires', async () => {
    const url = await linkAt(start)
    expect(await fault(url, start + linkValidSeconds * second - 1)).toBeUndefined()
    expect(await fault(url, start + linkValidSeconds * second)).toMatch(/expired/)
  })

  test('is refused while it is not valid yet, but for a difference of clocks of a quarter of an hour', async () => {
    const url = await linkAt(start)
    expect(await fault(url, start - quarterMs)).toBeUndefined()
    expect(await fault(url, start - quarterMs - 1)).toMatch(/not valid yet/)
  })

  test('is accepted beside an Authorization of something else', async () => {
    const request = new Request(await linkAt(start), { headers: { Authorization: 'Bearer of-the-registry' } })
    expect(await signatureFault(request, rules, start)).toBeUndefined()
  })

  test.each(['HEAD', 'PUT', 'DELETE', 'POST'])('of a GET is refused to %s', async (method) => {
    expect(await fault(await linkAt(start), start, method)).toMatch(/does not match/)
  })

  test.each([
    ['another secret', { ...rules, key: { ...key, secretAccessKey: 'another secret of the test' } }],
    ['another id', { ...rules, key: { ...key, accessKeyId: 'mirrorball02' } }],
    ['another region', { ...rules, region: 'eu-central-1' }],
  ])('is refused by a bucket with %s', async (_, other) => {
    expect(await fault(await linkAt(start), start, 'GET', other)).toMatch(/does not match/)
  })

  test.each([
    ['another object', (url: URL) => (url.pathname = url.pathname.replace(/data$/, 'link'))],
    ['the bucket’s listing', (url: URL) => (url.pathname = '/mirrorball')],
    ['a path with a slash more', (url: URL) => (url.pathname = url.pathname.replace('/docker', '//docker'))],
    ['another host', (url: URL) => (url.host = 'bucket.example.com')],
    ['another port', (url: URL) => (url.port = '1972')],
    ['a longer life', (url: URL) => url.searchParams.set('X-Amz-Expires', '604800')],
    ['a life in other words', (url: URL) => url.searchParams.set('X-Amz-Expires', '3600.0')],
    ['no life', (url: URL) => url.searchParams.delete('X-Amz-Expires')],
    ['a later date', (url: URL) => url.searchParams.set('X-Amz-Date', amzDate(start + quarterMs))],
    ['no date', (url: URL) => url.searchParams.delete('X-Amz-Date')],
    ['a date that is none', (url: URL) => url.searchParams.set('X-Amz-Date', '20261301T000000Z')],
    [
      'another credential',
      (url: URL) => url.searchParams.set('X-Amz-Credential', 'someone/20260101/auto/s3/aws4_request'),
    ],
    ['another algorithm', (url: URL) => url.searchParams.set('X-Amz-Algorithm', 'AWS4-NONE')],
    ['more signed headers', (url: URL) => url.searchParams.set('X-Amz-SignedHeaders', 'host;range')],
    ['no signed headers', (url: URL) => url.searchParams.delete('X-Amz-SignedHeaders')],
    ['a parameter more', (url: URL) => url.searchParams.append('response-cache-control', 'public')],
    ['an empty signature', (url: URL) => url.searchParams.set('X-Amz-Signature', '')],
    ['a shorter signature', (url: URL) => url.searchParams.set('X-Amz-Signature', 'abc')],
    ['no signature', (url: URL) => url.searchParams.delete('X-Amz-Signature')],
    [
      'its signature in upper case',
      (url: URL) =>
        url.searchParams.set('X-Amz-Signature', (url.searchParams.get('X-Amz-Signature') ?? '').toUpperCase()),
    ],
  ])('that was changed to %s is refused', async (_, change) => {
    const url = new URL(await linkAt(start))
    change(url)
    expect(await fault(url.href, start)).toBeTypeOf('string')
  })

  test('whose life is said twice lives no longer than was signed', async () => {
    const url = new URL(await linkAt(start))
    url.searchParams.append('X-Amz-Expires', '604800')
    expect(await fault(url.href, start + linkValidSeconds * second)).toBeTypeOf('string')
  })

  test('with any digit of its signature changed is refused', async () => {
    const url = await linkAt(start)
    const signature = new URL(url).searchParams.get('X-Amz-Signature') ?? ''
    expect(signature).toMatch(/^[0-9a-f]{64}$/)
    for (let at = 0; at < signature.length; at += 1) {
      const digit = signature[at] === '0' ? '1' : '0'
      const changed = signature.slice(0, at) + digit + signature.slice(at + 1)
      expect(await fault(url.replace(signature, changed), start)).toMatch(/does not match/)
    }
  })
})

describe('a presigned URL', () => {
  // Source: Amazon S3 API Reference, "Authenticating Requests: Using Query Parameters", the example there.
  test('is the one of the reference', async () => {
    const example = {
      url: 'https://examplebucket.s3.amazonaws.com',
      region: 'us-east-1',
      accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
      secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    }
    const options = { method: 'GET', datetime: '20130524T000000Z', validSeconds: 86_400 }
    const url = new URL(createPresign(example)('/test.txt', options))
    expect(url.searchParams.get('X-Amz-Signature')).toBe(
      'aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404',
    )
  })

  test('is the one that another implementation makes, in any form, and that one is accepted', async () => {
    // Close to each other, for their order.
    const words = fc.oneof(fc.string({ unit: 'grapheme' }), fc.stringMatching(/^a[-.=%1b]{0,3}$/))
    const parameters = fc.dictionary(
      words.filter((name) => name !== '' && !/^X-Amz-/i.test(name)),
      words,
    )
    await fc.assert(
      fc.asyncProperty(parameters, words, fc.constantFrom('GET', 'HEAD'), async (own, secret, method) => {
        const from = { ...access, secretAccessKey: secret }
        const datetime = amzDate(start)
        const asked = new URL(from.url)
        for (const [name, value] of Object.entries(own)) asked.searchParams.set(name, value)
        const query = new URLSearchParams(asked.search)
        const ours = createPresign(from)('', { method, datetime, validSeconds: 60, query })
        asked.searchParams.set('X-Amz-Expires', '60')
        const { url: _, ...credentials } = from
        const other = new AwsV4Signer({
          ...credentials,
          service: 's3',
          method,
          url: asked.href,
          signQuery: true,
          datetime,
        })
        const theirs = (await other.sign()).url
        expect(new URL(ours).searchParams.get('X-Amz-Signature')).toBe(theirs.searchParams.get('X-Amz-Signature'))
        const checked = { key: { ...key, secretAccessKey: secret }, region: 'auto' }
        expect(await createSignatureCheck(checked)(new Request(theirs, { method }), theirs, start)).toBeUndefined()
      }),
    )
  })

  test.each([
    [1, undefined],
    [604_800, undefined],
    [0, /out of bounds/],
    [-1, /out of bounds/],
    [604_801, /out of bounds/],
    [1.5, /out of bounds/],
  ])('of %d seconds, well signed, is taken within the bounds of S3', async (validSeconds, expected) => {
    const url = createPresign(access)(`/${blob}`, { method: 'GET', datetime: amzDate(start), validSeconds })
    const found = await fault(url, start)
    if (expected === undefined) expect(found).toBeUndefined()
    else expect(found).toMatch(expected)
  })

  test('of a HEAD is accepted for HEAD and refused for GET', async () => {
    const url = createPresign(access)(`/${blob}`, { method: 'HEAD', datetime: amzDate(start), validSeconds: 60 })
    expect(await fault(url, start, 'HEAD')).toBeUndefined()
    expect(await fault(url, start, 'GET')).toMatch(/does not match/)
  })
})

test('a date is written as Signature Version 4 wants it', () => {
  expect(amzDate(Date.UTC(2026, 8, 5, 4, 3, 2, 999))).toBe('20260905T040302Z')
})

describe('signed headers', () => {
  const url = `${access.url}?list-type=2&prefix=docker%2Fregistry%2F&start-after=a+b`

  async function signed(headers: Record<string, string> = {}, from: BucketAccess = access, method = 'GET') {
    const { url: _, ...credentials } = from
    const signer = new AwsV4Signer({ ...credentials, service: 's3', method, url, headers, datetime: amzDate(start) })
    return (await signer.sign()).headers
  }
  const check = (headers: Headers, nowMs = start, target = url, method = 'GET') =>
    signatureFault(new Request(target, { method, headers }), rules, nowMs)

  test.each(['GET', 'HEAD'])('are accepted for %s', async (method) => {
    expect(await check(await signed({}, access, method), start, url, method)).toBeUndefined()
  })

  test('are accepted with a Range, which is not signed', async () => {
    expect(await check(await signed({ Range: 'bytes=0-1' }))).toBeUndefined()
  })

  test('are accepted with a header of one’s own among them, and refused where that was changed or left out', async () => {
    const headers = await signed({ 'X-Amz-Meta-Note': 'a   b' })
    expect(await check(headers)).toBeUndefined()
    headers.set('X-Amz-Meta-Note', 'c')
    expect(await check(headers)).toMatch(/does not match/)
    headers.delete('X-Amz-Meta-Note')
    expect(await check(headers)).toMatch(/does not match/)
  })

  test('are accepted while the clocks differ by at most a quarter of an hour', async () => {
    const headers = await signed()
    for (const apart of [quarterMs, -quarterMs]) expect(await check(headers, start + apart)).toBeUndefined()
    for (const apart of [quarterMs + 1, -quarterMs - 1])
      expect(await check(headers, start + apart)).toBeTypeOf('string')
  })

  test.each([
    ['another secret', { ...access, secretAccessKey: 'another secret of the test' }],
    ['another id', { ...access, accessKeyId: 'mirrorball02' }],
    ['another region', { ...access, region: 'eu-central-1' }],
  ])('with %s are refused', async (_, from) => {
    expect(await check(await signed({}, from))).toMatch(/does not match/)
  })

  test.each([
    ['another path', url.replace('/mirrorball', '/other'), 'GET'],
    ['another query', url.replace('prefix=docker', 'prefix=mirrorball'), 'GET'],
    ['a parameter more', `${url}&max-keys=1`, 'GET'],
    ['another host', url.replace('127.0.0.1', 'localhost'), 'GET'],
    ['another method', url, 'DELETE'],
  ])('for %s are refused', async (_, target, method) => {
    expect(await check(await signed(), start, target, method)).toMatch(/does not match/)
  })

  test.each([
    ['no Authorization', (headers: Headers) => headers.delete('Authorization')],
    ['another scheme', (headers: Headers) => headers.set('Authorization', 'Bearer token')],
    ['another date', (headers: Headers) => headers.set('X-Amz-Date', amzDate(start + second))],
    ['no date', (headers: Headers) => headers.delete('X-Amz-Date')],
    ['another credential', (headers: Headers) => replace(headers, key.accessKeyId, 'someone')],
    ['the date not signed', (headers: Headers) => replace(headers, ';x-amz-date', '')],
    ['the host not signed', (headers: Headers) => replace(headers, 'SignedHeaders=host;', 'SignedHeaders=')],
    ['a shorter signature', (headers: Headers) => replace(headers, /.$/, '')],
    ['another signature', (headers: Headers) => replace(headers, /.{64}$/, '0'.repeat(64))],
  ])('with %s are refused', async (_, change) => {
    const headers = await signed()
    change(headers)
    expect(await check(headers)).toBeTypeOf('string')
  })

  function replace(headers: Headers, what: string | RegExp, by: string): void {
    headers.set('Authorization', (headers.get('Authorization') ?? '').replace(what, by))
  }
})
