// Pitfalls of working together with clients and proxies, by their numbers, where nobody signs in. 57 is in
// large-upload.test.ts; what changes where users sign in is in sign-in-clients.test.ts.

import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stackFaces } from '../support/faces/faces.ts'
import {
  locationOf,
  manifestText,
  ociManifestType,
  pushBlob,
  pushImage,
  putManifest,
  startUpload,
  withDigest,
} from '../support/http-client.ts'
import { randomBytes, sha256 } from '../support/image.ts'
import { openConnection } from '../support/http/raw-http.ts'
import { type Stack, startStack } from '../support/stack.ts'

describe.each(stackFaces)('at %s', (_, runtime, face) => {
  let stack: Stack
  let base: string
  const get = (path: string, init: RequestInit = {}) => fetch(`${base}${path}`, init)

  beforeAll(async () => {
    stack = await startStack(runtime)
    base = face(stack)
  })

  afterAll(() => stack.stop())

  test('pitfall 46: HEAD has the length and type of GET, and no body, for every route that has both', async () => {
    const image = await pushImage(base, 'interop/head', 'v1', 'head')
    await pushBlob(base, 'interop/head', '')
    const paths = [
      'manifests/v1',
      `manifests/${image.digest}`,
      `blobs/${sha256(image.layer)}`,
      `blobs/${sha256('')}`,
      'tags/list',
      `referrers/${image.digest}`,
      'manifests/none',
      `blobs/${sha256('none')}`,
      'tags/list?n=x',
    ]
    for (const path of ['/v2/', '/v2/_catalog', ...paths.map((each) => `/v2/interop/head/${each}`)]) {
      const [whole, head] = [await get(path), await get(path, { method: 'HEAD' })]
      const length = String((await whole.arrayBuffer()).byteLength)
      expect([path, await head.text()]).toEqual([path, ''])
      for (const { headers } of [whole, head]) expect([path, headers.get('Content-Length')]).toEqual([path, length])
      expect([head.status, head.headers.get('Content-Type')]).toEqual([whole.status, whole.headers.get('Content-Type')])
    }
  })

  test('pitfall 47: the Range of a PATCH names the last byte, not the next one', async () => {
    const url = await startUpload(base, 'interop/range')
    const patch = (body: string, range: string) =>
      fetch(url, { method: 'PATCH', body, headers: { 'Content-Range': range } })
    expect((await patch('a', '0-0')).headers.get('Range')).toBe('0-0')
    expect((await patch('bcde', '1-4')).headers.get('Range')).toBe('0-4')
    for (const offByOne of ['4-7', '6-9']) {
      const refused = await patch('fghi', offByOne)
      expect([refused.status, refused.headers.get('Range')]).toEqual([416, '0-4'])
    }
    expect((await patch('f', '5-5')).headers.get('Range')).toBe('0-5')
    expect((await fetch(url)).headers.get('Range')).toBe('0-5')
    expect((await fetch(withDigest(url, sha256('abcdef')), { method: 'PUT' })).status).toBe(201)
  })

  /** The answers that carry a Location, as a client behind a proxy with TLS gets them. */
  async function locations(name: string): Promise<string[]> {
    const headers = {
      'X-Forwarded-Proto': 'https',
      'X-Forwarded-Host': 'registry.example',
      Forwarded: 'proto=https;host=registry.example',
    }
    const start = await get(`/v2/${name}/blobs/uploads/`, { method: 'POST', headers })
    const url = locationOf(start, base)
    const patch = await fetch(url, { method: 'PATCH', body: '{}', headers })
    const outOfOrder = await fetch(url, { method: 'PATCH', body: 'x', headers: { ...headers, 'Content-Range': '9-9' } })
    const put = await fetch(withDigest(url, sha256('{}')), { method: 'PUT', headers })
    const whole = await get(`/v2/${name}/blobs/uploads/?digest=${sha256('whole')}`, {
      method: 'POST',
      body: 'whole',
      headers,
    })
    const mount = await get(`/v2/${name}/blobs/uploads/?mount=${sha256('{}')}&from=${name}`, {
      method: 'POST',
      headers,
    })
    const manifest = await putManifest(base, name, 'v1', manifestText('{}', ['whole']))
    const answers = [start, patch, outOfOrder, put, whole, mount, manifest]
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 416, 201, 201, 201, 201])
    return answers.map((answer) => answer.headers.get('Location') ?? '')
  }

  test('pitfall 48: a Location is never http behind TLS: it is relative, and forwarded hosts and protocols are not believed', async () => {
    for (const location of await locations('interop/tls')) {
      expect(location).toMatch(/^\/v2\//)
      expect(new URL(location, 'https://registry.example/v2/').href).toMatch(/^https:\/\/registry\.example\/v2\//)
    }
  })

  test('pitfall 49: every Location lies under /v2/ and the repository’s name', async () => {
    for (const location of await locations('interop/v2'))
      expect(location).toMatch(/^\/v2\/interop\/v2\/(blobs|manifests)\//)
  })

  test('pitfall 50: a Location has no query that a client could lose or double, and one that is added is understood', async () => {
    for (const location of await locations('interop/query')) expect(location).not.toMatch(/[?#]/)
    const location = (await startUpload(base, 'interop/query')).pathname
    const put = await get(`${location}?_state=abc&digest=${encodeURIComponent(sha256('queried'))}`, {
      method: 'PUT',
      body: 'queried',
    })
    expect(put.status).toBe(201)
  })

  test('pitfall 51: where nobody signs in there is no challenge with scopes to take wrongly: credentials are not asked for, and change nothing', async () => {
    const paths = ['/v2/', '/v2/_catalog', '/v2/interop/none/manifests/v1', `/v2/${'a'.repeat(64)}/blobs/uploads/`]
    for (const Authorization of ['Basic eDp5', 'Bearer a.b.c', 'Bearer', '', 'Negotiate x']) {
      for (const path of paths) {
        const method = path.endsWith('uploads/') ? 'POST' : 'GET'
        const [without, withIt] = [await get(path, { method }), await get(path, { method, headers: { Authorization } })]
        expect(withIt.status).toBe(without.status)
        for (const { status, headers } of [without, withIt])
          expect([status === 401, headers.get('WWW-Authenticate')]).toEqual([false, null])
      }
    }
  })

  test('pitfall 52: a blob comes though the client sends its Authorization on to the presigned URL', async () => {
    const digest = await pushBlob(base, 'interop/presigned', 'presigned')
    const headers = { Authorization: 'Bearer for-the-registry' }
    const first = await get(`/v2/interop/presigned/blobs/${digest}`, { headers, redirect: 'manual' })
    const answer = first.status === 307 ? await fetch(first.headers.get('Location') ?? '', { headers }) : first
    expect([answer.status, await answer.text()]).toEqual([200, 'presigned'])
  })

  test('pitfall 53: blobs and manifests have no Content-Encoding, gzipped ones neither, whatever the client accepts', async () => {
    const layer = new Uint8Array(gzipSync('layer '.repeat(1000)))
    const digest = await pushBlob(base, 'interop/encoding', layer)
    const { digest: manifest } = await pushImage(base, 'interop/encoding', 'v1', 'encoding')
    for (const encodings of ['gzip', 'gzip, br, zstd', 'identity', '*']) {
      for (const [path, expected] of [
        [`blobs/${digest}`, digest],
        ['manifests/v1', manifest],
      ] as const) {
        const response = await get(`/v2/interop/encoding/${path}`, { headers: { 'Accept-Encoding': encodings } })
        expect([response.headers.get('Content-Encoding'), response.headers.get('Content-Length')]).toEqual([
          null,
          expect.any(String),
        ])
        expect(sha256(new Uint8Array(await response.arrayBuffer()))).toBe(expected)
      }
    }
    const claimed = await get(`/v2/interop/encoding/blobs/uploads/?digest=${digest}`, {
      method: 'POST',
      body: layer,
      headers: { 'Content-Encoding': 'gzip' },
    })
    expect(claimed.status).toBe(201)
  })

  test('pitfall 54: several ranges are answered with the whole, not with 416 or 501', async () => {
    const digest = await pushBlob(base, 'interop/ranges', '0123456789')
    for (const range of ['bytes=0-1,3-4', 'bytes=0-0, -1', 'bytes=90-99,0-1']) {
      const response = await get(`/v2/interop/ranges/blobs/${digest}`, { headers: { Range: range } })
      expect([response.status, await response.text()]).toEqual([200, '0123456789'])
    }
  })

  test('pitfall 55: a tag sha256-<hex>, as signatures have it, is a tag like every other', async () => {
    const { digest, manifest } = await pushImage(base, 'interop/tags', 'v1', 'signed')
    for (const tag of [digest.replace(':', '-'), `${digest.replace(':', '-')}.sig`, `sha512-${'a'.repeat(64)}`]) {
      expect((await putManifest(base, 'interop/tags', tag, manifest)).status).toBe(201)
      const pulled = await get(`/v2/interop/tags/manifests/${tag}`)
      expect(pulled.headers.get('Docker-Content-Digest')).toBe(digest)
      expect((await get(`/v2/interop/tags/manifests/${tag}`, { method: 'DELETE' })).status).toBe(202)
    }
  })

  test('pitfall 56: OCI-Subject is sent, and what it promises is there: the referrers API lists the manifest', async () => {
    await pushBlob(base, 'interop/subject', '{}')
    const subject = sha256('subject')
    const manifest = manifestText('{}', [], { subject: { mediaType: ociManifestType, digest: subject, size: 7 } })
    const pushed = await putManifest(base, 'interop/subject', 'v1', manifest)
    expect(pushed.headers.get('OCI-Subject')).toBe(subject)
    expect(
      (await putManifest(base, 'interop/subject', 'v2', manifestText('{}', []))).headers.get('OCI-Subject'),
    ).toBeNull()
    const response = await get(`/v2/interop/subject/referrers/${subject}`)
    expect(await response.json()).toMatchObject({ manifests: [{ digest: sha256(manifest) }] })
  })

  test('pitfall 58: a mount without from is made where the bytes are anywhere, as everyone may pull everything; else it is an upload', async () => {
    const digest = await pushBlob(base, 'interop/somewhere', 'mounted from anywhere')
    const mount = (query: string) => get(`/v2/interop/mount/blobs/uploads/?${query}`, { method: 'POST' })
    expect((await get(`/v2/interop/mount/blobs/${digest}`)).status).toBe(404)
    expect((await mount(`mount=${digest}&from=interop/elsewhere`)).status).toBe(202)
    expect((await get(`/v2/interop/mount/blobs/${digest}`)).status).toBe(404)
    expect((await mount(`mount=${digest}`)).status).toBe(201)
    expect(await (await get(`/v2/interop/mount/blobs/${digest}`)).text()).toBe('mounted from anywhere')
    expect((await mount(`mount=${sha256('nowhere')}`)).status).toBe(202)
  })

  test('pitfall 60: a download that broke goes on with Range, by the URL it had and by the registry’s', async () => {
    const bytes = randomBytes('reconnect', 3_000_000)
    const digest = await pushBlob(base, 'interop/reconnect', bytes)
    const path = `/v2/interop/reconnect/blobs/${digest}`
    const first = await get(path, { redirect: 'manual' })
    const url = new URL(first.headers.get('Location') ?? path, base)
    await first.body?.cancel()
    const { socket, received, closed } = await openConnection(url.origin)
    socket.on('data', () => {
      if (received().length > 200_000) socket.destroy()
    })
    socket.write(`GET ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\n\r\n`)
    await closed
    const arrived = received().slice(received().indexOf('\r\n\r\n') + 4).length
    const etag = /etag: ("[^"]+")/i.exec(received())?.[1] ?? ''
    for (const again of [url.href, `${base}${path}`]) {
      const rest = await fetch(again, { headers: { Range: `bytes=${arrived}-`, 'If-Range': etag } })
      expect([rest.status, rest.headers.get('Content-Range')]).toEqual([206, `bytes ${arrived}-2999999/3000000`])
      const whole = Buffer.concat([
        Buffer.from(received(), 'latin1').subarray(-arrived),
        Buffer.from(await rest.arrayBuffer()),
      ])
      expect(sha256(whole)).toBe(digest)
    }
  })
})
