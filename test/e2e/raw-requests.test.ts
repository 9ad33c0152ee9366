// Requests that are malformed below the registry's own grammar, as bytes on a connection to the real processes. Each is
// refused in the form of every other error, changes nothing, and leaves a listener that answers the next client.

import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ociIndexType, pushImage } from '../support/http-client.ts'
import { exchange, ociCode, openConnection } from '../support/http/raw-http.ts'
import { filesIn } from '../support/registry-content.ts'
import { type EdgeRuntime, type Stack, startStack } from '../support/stack.ts'

/** A manifest that needs nothing else: where a listener believed a malformed request, there would be a tag. */
const index = JSON.stringify({ schemaVersion: 2, mediaType: ociIndexType, manifests: [] })
const host = 'Host: registry.example\r\n'

/** A push of `index` with these headers and body. */
const put = (headers: string, body: string) =>
  `PUT /v2/raw/stored/manifests/v1 HTTP/1.1\r\n${host}Content-Type: ${ociIndexType}\r\n${headers}\r\n${body}`
const get = (target: string, headers = host) => `GET ${target} HTTP/1.1\r\n${headers}Connection: close\r\n\r\n`
const chunk = (text: string, extension = '') => `${text.length.toString(16)}${extension}\r\n${text}\r\n`
const length = `Content-Length: ${index.length}\r\n`
const chunked = 'Transfer-Encoding: chunked\r\n'

const malformed: readonly [string, number, string][] = [
  ['Content-Length and Transfer-Encoding', 400, put(length + chunked, chunk(index) + chunk(''))],
  ['Transfer-Encoding and Content-Length', 400, put(chunked + length, chunk(index) + chunk(''))],
  ['two Content-Lengths that are equal', 400, put(length + length, index)],
  ['two Content-Lengths that differ', 400, put(`${length}Content-Length: 2\r\n`, index)],
  ['a Content-Length that is a list', 400, put(`Content-Length: ${index.length}, ${index.length}\r\n`, index)],
  ['a Content-Length with a sign', 400, put(`Content-Length: +${index.length}\r\n`, index)],
  ['a negative Content-Length', 400, put('Content-Length: -1\r\n', index)],
  ['a Content-Length in hex', 400, put(`Content-Length: 0x${index.length.toString(16)}\r\n`, index)],
  ['a Content-Length beyond 64 bits', 400, put('Content-Length: 99999999999999999999\r\n', index)],
  ['a Transfer-Encoding that nobody knows', 400, put('Transfer-Encoding: chonked\r\n', chunk(index) + chunk(''))],
  ['chunked, but not at the end', 400, put('Transfer-Encoding: chunked, gzip\r\n', chunk(index) + chunk(''))],
  ['a chunk size that is no number', 400, put(chunked, `zz\r\n${index}\r\n0\r\n\r\n`)],
  ['a negative chunk size', 400, put(chunked, `-1\r\n${index}\r\n0\r\n\r\n`)],
  ['a chunk size beyond 64 bits', 400, put(chunked, `fffffffffffffffff\r\n${index}\r\n0\r\n\r\n`)],
  ['a chunk that is longer than it says', 400, put(chunked, `${chunk(index).slice(0, -2)}XX\r\n0\r\n\r\n`)],
  ['a whole manifest, and then no chunk', 400, put(chunked, `${chunk(index)}nonsense\r\n\r\n`)],
  ['a huge chunk extension', 413, put(chunked, chunk(index, `;a=${'b'.repeat(20_000)}`) + chunk(''))],
  ['a header that goes on in the next line (obs-fold)', 400, put(`${length}X-Folded: a\r\n b\r\n`, index)],
  ['lines that end with LF alone', 400, put(length, index).replaceAll('\r\n', '\n')],
  ['lines that end with CR alone', 400, put(length, index).replaceAll('\r\n', '\r')],
  ['a space before a colon', 400, put(`${length}X-Spaced : a\r\n`, index)],
  ['a NUL in a header', 400, put(`${length}X-Nul: a\0b\r\n`, index)],
  ['a header without a colon', 400, put(`${length}nothing\r\n`, index)],
  ['a header of 20 KB', 431, put(`${length}X-Large: ${'a'.repeat(20_000)}\r\n`, index)],
  ['2,500 headers', 431, put(length + Array.from({ length: 2500 }, (_, at) => `a${at}: b\r\n`).join(''), index)],
  ['101 headers', 431, put(length + Array.from({ length: 98 }, (_, at) => `a${at}: b\r\n`).join(''), index)],
  ['a target of 20 KB', 431, get(`/v2/${'a'.repeat(20_000)}/tags/list`)],
  ['a target with a tab', 400, get('/v2/\t/tags/list')],
  ['a target with bytes beyond ASCII', 400, get('/v2/\xc3\xa4/tags/list')],
  ['a target with a backslash', 400, get('/v2\\raw/tags/list')],
  ['a target without a slash', 400, get('v2/')],
  ['an empty target', 400, get('')],
  ['a target of another scheme', 400, get('ftp://registry.example/v2/')],
  ['the target *', 400, `OPTIONS * HTTP/1.1\r\n${host}Connection: close\r\n\r\n`],
  ['no Host', 400, get('/v2/', '')],
  ['no Host, in HTTP/1.0', 400, 'GET /v2/ HTTP/1.0\r\n\r\n'],
  ['an empty Host', 400, get('/v2/', 'Host:\r\n')],
  ['two Hosts', 400, get('/v2/', `${host}Host: other.example\r\n`)],
  ['a Host that is none', 400, get('/v2/', 'Host: a b\r\n')],
  ['a Host with a path', 400, get('/v2/', 'Host: registry.example/v2\r\n')],
  ['a Host with a user', 400, get('/v2/', 'Host: user@registry.example\r\n')],
  ['a method with a sign', 400, `G@T /v2/ HTTP/1.1\r\n${host}\r\n`],
  ['a method that nobody knows', 400, `BREW /v2/ HTTP/1.1\r\n${host}\r\n`],
  ['the method CONNECT', 405, `CONNECT other.example:80 HTTP/1.1\r\n${host}\r\n`],
  ['an expectation that nobody knows', 417, put(`${length}Expect: miracles\r\n`, index)],
  ['HTTP/0.9', 400, 'GET /v2/\r\n\r\n'],
  ['HTTP/1.2', 400, `GET /v2/ HTTP/1.2\r\n${host}\r\n`],
  ['the beginning of HTTP/2', 400, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['the beginning of TLS', 400, '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ['noise', 400, '\0\x01\x02\xfe\xff\r\n\r\n'],
]

/** As in `malformed`, but well-formed: proof that the pushes of the table fail by their fault alone. */
const sound = [
  put(`${length}Connection: close\r\n`, index),
  put(`${chunked}Connection: close\r\n`, chunk(index, ';a=b') + chunk('')),
]

async function storedAfter(stack: Stack, work: () => Promise<void>) {
  const folder = join(stack.dataFolder, 'bucket')
  const before = await filesIn(folder)
  await work()
  return { before, after: await filesIn(folder) }
}

describe('a request on a raw connection to a listener on Node', () => {
  let stack: Stack

  beforeAll(async () => {
    stack = await startStack('node')
    await pushImage(stack.originUrl, 'raw/there', 'v1', 'raw')
  })

  afterAll(() => stack.stop())

  test.each(malformed)('with %s is %i and changes nothing', async (_, status, request) => {
    for (const url of [stack.originUrl, stack.edgeUrl]) {
      const { before, after } = await storedAfter(stack, async () => {
        const answers = await exchange(url, request)
        expect(answers.map((answer) => [answer.status, ociCode(answer)])).toEqual([[status, 'UNSUPPORTED']])
      })
      expect(after).toEqual(before)
      expect((await fetch(`${url}/v2/raw/there/manifests/v1`)).status).toBe(200)
    }
  })

  test.each(malformed)('with %s is refused by the bucket too', async (_, status, request) => {
    const answers = await exchange(stack.bucketUrl, request)
    // It looks at the method first: what is no read it refuses before its body turns out to be malformed.
    expect(answers.map((answer) => answer.status)).toEqual([
      request.startsWith('PUT') ? expect.toBeOneOf([status, 405]) : status,
    ])
    for (const { headers } of answers) expect(headers.get('Cache-Control')).toBe('no-store')
    expect((await fetch(stack.bucketUrl)).status).toBe(403)
  })

  test.each([
    ['its target', 'HEAD /v2/\xc3\xa4/tags/list HTTP/1.1\r\n' + host + '\r\n'],
    ['a header', `HEAD /v2/ HTTP/1.1\r\n${host}X-Spaced : a\r\n\r\n`],
    ['the target of the second', `HEAD /v2/ HTTP/1.1\r\n${host}\r\nHEAD /v2/\xc3\xa4 HTTP/1.1\r\n${host}\r\n`],
  ])('of a HEAD, in %s, is refused without a body', async (_, request) => {
    const { socket, received, closed } = await openConnection(stack.originUrl)
    socket.write(request, 'latin1')
    await closed
    // Heads only: the last one is that of the refusal.
    const heads = received().split('\r\n\r\n')
    expect([heads.at(-2), heads.at(-1)]).toEqual([expect.stringContaining('HTTP/1.1 400 Bad Request'), ''])
    for (const head of heads.slice(0, -1)) expect(head).toMatch(/^HTTP\/1\.1 /)
  })

  test('that is sound is taken: what was refused was refused for its fault', async () => {
    for (const request of sound) {
      for (const url of [stack.originUrl, stack.edgeUrl])
        expect((await exchange(url, request)).map(({ status }) => status)).toEqual([201])
    }
  })

  test('never became a fault of the registry in the log', () => {
    expect(stack.up.log.filter(({ level }) => level === 'error')).toEqual([])
    expect(stack.up.log.filter(({ status }) => Number(status) >= 500)).toEqual([])
  })
})

/** workerd reads HTTP by itself, in places more leniently (bare LF) and with answers of its own form. */
const refusedByWorkerd = [
  'two Content-Lengths that differ',
  'a Content-Length that is a list',
  'a Content-Length with a sign',
  'a negative Content-Length',
  'a Content-Length in hex',
  'a Content-Length beyond 64 bits',
  'a Transfer-Encoding that nobody knows',
  'a chunk size that is no number',
  'a negative chunk size',
  'a chunk size beyond 64 bits',
  'a chunk that is longer than it says',
  'a whole manifest, and then no chunk',
  'a huge chunk extension',
  'a header that goes on in the next line (obs-fold)',
  'lines that end with CR alone',
  'a space before a colon',
  'a NUL in a header',
  'a header without a colon',
  'a target with a tab',
  'a target without a slash',
  'an empty target',
  'no Host',
  'an empty Host',
  'a method with a sign',
  'HTTP/0.9',
  'HTTP/1.2',
  'the beginning of TLS',
  'noise',
]

describe('a request on a raw connection to workerd', () => {
  let stack: Stack
  const runtime: EdgeRuntime = 'workerd'

  beforeAll(async () => {
    stack = await startStack(runtime)
    await pushImage(stack.originUrl, 'raw/there', 'v1', 'raw')
  })

  afterAll(() => stack.stop())

  test.each(malformed.filter(([what]) => refusedByWorkerd.includes(what)))(
    'with %s is 400 and changes nothing',
    async (_, _status, request) => {
      const { before, after } = await storedAfter(stack, async () => {
        expect((await exchange(stack.edgeUrl, request)).map(({ status }) => status)).toEqual([400])
      })
      expect(after).toEqual(before)
      expect((await fetch(`${stack.edgeUrl}/v2/raw/there/manifests/v1`)).status).toBe(200)
    },
  )
})
