// The bounds of every grammar, over HTTP on each face: the last value that is taken and the first that is refused.
// Paths go out as bytes on a connection, because HTTP clients would change some of them.

import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stackFaces } from '../support/faces/faces.ts'
import { ociIndexType, pushBlob, pushImage, startUpload } from '../support/http-client.ts'
import { sha256 } from '../support/image.ts'
import { exchange, ociCode } from '../support/http/raw-http.ts'
import { filesIn } from '../support/registry-content.ts'
import { type Stack, startStack } from '../support/stack.ts'

const index = JSON.stringify({ schemaVersion: 2, mediaType: ociIndexType, manifests: [] })
const hex = sha256('grammar').slice('sha256:'.length)
const name255 = `${'a'.repeat(127)}/${'b'.repeat(127)}`

/** Paths of GETs that are refused, with the code. */
const badPaths: readonly [string, string, number, string][] = [
  ['a name of 256 characters', `/v2/${name255}c/tags/list`, 400, 'NAME_INVALID'],
  ['no name', '/v2//tags/list', 400, 'NAME_INVALID'],
  ['an empty component', '/v2/a//b/tags/list', 400, 'NAME_INVALID'],
  ['an empty last component', '/v2/a//tags/list', 400, 'NAME_INVALID'],
  ['a letter in upper case', '/v2/aB/tags/list', 400, 'NAME_INVALID'],
  ['a separator in front', '/v2/-a/tags/list', 400, 'NAME_INVALID'],
  ['a separator behind', '/v2/a_/tags/list', 400, 'NAME_INVALID'],
  ['three underscores', '/v2/a___b/tags/list', 400, 'NAME_INVALID'],
  ['two dots', '/v2/a..b/tags/list', 400, 'NAME_INVALID'],
  ['a folder of the layout for a name', '/v2/_manifests/tags/list', 400, 'NAME_INVALID'],
  ['a slash in percent-encoding', '/v2/a%2Fb/tags/list', 400, 'NAME_INVALID'],
  ['a letter in percent-encoding', '/v2/%61/tags/list', 400, 'NAME_INVALID'],
  ['a NUL in a name', '/v2/a%00/tags/list', 400, 'NAME_INVALID'],
  ['half a percent-encoding in a name', '/v2/a%2/tags/list', 400, 'NAME_INVALID'],
  ['a tag of 129 characters', `/v2/a/manifests/${'t'.repeat(129)}`, 404, 'MANIFEST_UNKNOWN'],
  ['no tag', '/v2/a/manifests/', 404, 'MANIFEST_UNKNOWN'],
  ['a slash in a tag', '/v2/a/manifests/b%2Fc', 404, 'MANIFEST_UNKNOWN'],
  ['dots for a tag, encoded twice', '/v2/a/manifests/%252e%252e', 404, 'MANIFEST_UNKNOWN'],
  ['a NUL in a tag', '/v2/a/manifests/v1%00', 404, 'MANIFEST_UNKNOWN'],
  ['half a percent-encoding in a tag', '/v2/a/manifests/v1%', 404, 'MANIFEST_UNKNOWN'],
  ['no percent-encoding at all', '/v2/a/manifests/%zz', 404, 'MANIFEST_UNKNOWN'],
  ['an overlong UTF-8 slash', '/v2/a/manifests/%c0%af', 404, 'MANIFEST_UNKNOWN'],
  ['a UTF-16 surrogate', '/v2/a/manifests/%ed%a0%80', 404, 'MANIFEST_UNKNOWN'],
  ['a digest of 63 digits', `/v2/a/manifests/sha256:${hex.slice(1)}`, 400, 'DIGEST_INVALID'],
  ['a digest of 65 digits', `/v2/a/blobs/sha256:${hex}0`, 400, 'DIGEST_INVALID'],
  ['a digest in upper case', `/v2/a/blobs/sha256:${hex.toUpperCase()}`, 400, 'DIGEST_INVALID'],
  ['an algorithm in upper case', `/v2/a/blobs/SHA256:${hex}`, 400, 'DIGEST_INVALID'],
  ['an algorithm we do not have', `/v2/a/blobs/md5:${hex.slice(0, 32)}`, 400, 'DIGEST_INVALID'],
  ['a name of Object.prototype as algorithm', `/v2/a/blobs/constructor:${hex}`, 400, 'DIGEST_INVALID'],
  ['sha512 with the length of sha256', `/v2/a/blobs/sha512:${hex}`, 400, 'DIGEST_INVALID'],
  ['no digest', '/v2/a/blobs/', 400, 'DIGEST_INVALID'],
  ['a digest and a tag together', `/v2/a/manifests/v1@sha256:${hex}`, 400, 'DIGEST_INVALID'],
  ['a tag for a subject', '/v2/a/referrers/v1', 400, 'DIGEST_INVALID'],
  ['a negative n', '/v2/there/tags/list?n=-1', 400, 'UNSUPPORTED'],
  ['an n of ten digits', '/v2/there/tags/list?n=1000000000', 400, 'UNSUPPORTED'],
  ['an n with a fraction', '/v2/_catalog?n=1.5', 400, 'UNSUPPORTED'],
  ['an n in hex', '/v2/_catalog?n=0x10', 400, 'UNSUPPORTED'],
  ['an empty n', '/v2/there/tags/list?n=', 400, 'UNSUPPORTED'],
  ['an n that is no text', '/v2/there/tags/list?n=%ff', 400, 'UNSUPPORTED'],
]

/** Paths of GETs on the bounds, and other spellings, that are understood. The repository `there` has the tag `v1`. */
const goodPaths: readonly [string, string, number][] = [
  ['a name of 255 characters', `/v2/${name255}/manifests/v1`, 200],
  ['a tag of 128 characters', `/v2/there/manifests/${'t'.repeat(128)}`, 200],
  ['a tag in percent-encoding', '/v2/there/manifests/%761', 200],
  ['the colon of a digest in percent-encoding', `/v2/there/manifests/${sha256(index).replace(':', '%3A')}`, 200],
  ['the largest n', '/v2/there/tags/list?n=999999999', 200],
  ['n with leading zeros', '/v2/there/tags/list?n=0001', 200],
  ['several n, of which the first counts', '/v2/there/tags/list?n=1&n=bad', 200],
  ['a last that is no tag', '/v2/there/tags/list?last=%2e%2e%2f%2e%2e', 200],
  ['a last with a NUL', '/v2/there/tags/list?last=%00', 200],
  ['a last that is no UTF-8', '/v2/_catalog?last=%ff%fe', 200],
  ['a last of 8 KB', `/v2/there/tags/list?last=${'z'.repeat(8192)}`, 200],
  ['a query that is not understood', '/v2/there/tags/list?&&=&x=%zz', 200],
  ['the last of referrers that is no digest', `/v2/there/referrers/sha256:${hex}?last=../..&artifactType=%00`, 200],
]

describe.each(stackFaces)('at %s', (_, runtime, face) => {
  let stack: Stack
  const stored = () => filesIn(join(stack.dataFolder, 'bucket'))
  const ask = async (method: string, target: string) => {
    const request = `${method} ${target} HTTP/1.1\r\nHost: registry.example\r\nConnection: close\r\n\r\n`
    const [answer] = await exchange(face(stack), request)
    if (answer === undefined) throw new Error('no answer came')
    return answer
  }

  beforeAll(async () => {
    stack = await startStack(runtime)
    for (const [name, tag] of [
      ['there', 'v1'],
      ['there', 't'.repeat(128)],
      [name255, 'v1'],
    ] as const) {
      const url = `${stack.originUrl}/v2/${name}/manifests/${tag}`
      const pushed = await fetch(url, { method: 'PUT', body: index, headers: { 'Content-Type': ociIndexType } })
      expect(pushed.status).toBe(201)
    }
  })

  afterAll(() => stack.stop())

  test.each(badPaths)('%s: %s is %i %s', async (_what, path, status, code) => {
    const answer = await ask('GET', path)
    expect([answer.status, ociCode(answer)]).toEqual([status, code])
  })

  test('what is refused to a read is refused to a write, and nothing is stored', async () => {
    const before = await stored()
    for (const [what, path] of badPaths.filter((each) => !each[1].includes('?'))) {
      const method = path.includes('/blobs/') ? 'DELETE' : 'PUT'
      const answer = await ask(method, path)
      expect([what, Math.floor(answer.status / 100), ociCode(answer)]).toEqual([what, 4, expect.any(String)])
    }
    expect(await stored()).toEqual(before)
  })

  test.each(goodPaths)('%s: %s is %i', async (_what, path, status) => {
    expect((await ask('GET', path)).status).toBe(status)
  })

  test.each([
    ['0-', 400],
    ['-4', 400],
    ['4-0', 400],
    ['0-4,5-6', 400],
    ['bytes 0-4/4', 400],
    ['0-9999999999999999', 400],
    ['0-4\u00a0', 400],
    ['0x0-0x4', 400],
    ['1-5', 416],
    ['999999999999990-999999999999994', 416],
    ['0-3', 400],
    ['0-4', 202],
    ['bytes 0-4/*', 202],
  ])('a chunk of five bytes with the Content-Range %j is %i', async (range, status) => {
    const url = await startUpload(face(stack), 'there')
    const response = await fetch(url, { method: 'PATCH', body: 'chunk', headers: { 'Content-Range': range } })
    const answer = { status: response.status, headers: response.headers, body: await response.text() }
    expect(answer.status).toBe(status)
    if (status !== 202) expect(ociCode(answer)).toMatch(/^(BLOB_UPLOAD|SIZE)_INVALID$/)
    expect((await fetch(url)).headers.get('Range')).toBe(status === 202 ? '0-4' : '0-0')
  })

  test.each([
    ['mount', 'sha256:abc'],
    ['mount', ''],
    ['digest', `sha256:${'g'.repeat(64)}`],
    ['digest', ''],
    ['digest-algorithm', 'md5'],
    ['digest-algorithm', '__proto__'],
  ])('an upload with the query %s=%s is DIGEST_INVALID and opens no session', async (field, value) => {
    const before = await stored()
    const answer = await ask('POST', `/v2/there/blobs/uploads/?${field}=${value}`)
    expect([answer.status, ociCode(answer)]).toEqual([400, 'DIGEST_INVALID'])
    expect(await stored()).toEqual(before)
  })

  test('a Range of the longest header is answered', async () => {
    const digest = await pushBlob(stack.originUrl, 'there', 'ranged')
    for (const range of [`bytes=${'0-1,'.repeat(3500)}`, `bytes=${'9'.repeat(14_000)}-`, 'bytes=0-0\u00e9']) {
      const response = await fetch(`${face(stack)}/v2/there/blobs/${digest}`, { headers: { Range: range } })
      expect([response.status, await response.text()]).toEqual([200, 'ranged'])
    }
  })

  test('an image pushed after all of that is there', async () => {
    const { digest } = await pushImage(face(stack), 'there', 'after', 'after')
    const pulled = await fetch(`${face(stack)}/v2/there/manifests/after`)
    expect(pulled.headers.get('Docker-Content-Digest')).toBe(digest)
    expect(stack.up.log.filter(({ level, status }) => level === 'error' || Number(status) >= 500)).toEqual([])
  })
})
