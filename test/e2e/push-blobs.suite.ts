// What a client that pushes blobs sees, the same at the origin and through every edge.

import { describe, expect, test } from 'vitest'
import { locationOf, ociError, pushBlob, startUpload, withDigest } from '../support/http-client.ts'
import { sha256 } from '../support/image.ts'

export function pushBlobsSuite(base: () => string): void {
  const blob = (name: string, digest: string) => fetch(`${base()}/v2/${name}/blobs/${digest}`)
  const upload = (url: URL, method: string, body: string | null, headers: Record<string, string> = {}) =>
    fetch(url, { method, body, headers: { 'Content-Type': 'application/octet-stream', ...headers } })

  describe('an upload', () => {
    test('in one POST with the digest', async () => {
      const digest = sha256('in one POST')
      const response = await fetch(`${base()}/v2/push/post/blobs/uploads/?digest=${digest}`, {
        method: 'POST',
        body: 'in one POST',
      })
      expect(response.status).toBe(201)
      expect(response.headers.get('Docker-Content-Digest')).toBe(digest)
      expect(await (await fetch(locationOf(response, base()))).text()).toBe('in one POST')
    })

    test('with POST, then PUT', async () => {
      const digest = await pushBlob(base(), 'push/put', 'POST and PUT')
      expect(await (await blob('push/put', digest)).text()).toBe('POST and PUT')
    })

    test('with chunks in PATCH, each told where the next begins, and an empty PUT', async () => {
      const start = await startUpload(base(), 'push/chunks')
      const first = await upload(start, 'PATCH', 'first ', { 'Content-Range': '0-5' })
      expect(first.status).toBe(202)
      expect(first.headers.get('Range')).toBe('0-5')
      const second = await upload(locationOf(first, base()), 'PATCH', 'second', { 'Content-Range': '6-11' })
      expect(second.headers.get('Range')).toBe('0-11')
      const digest = sha256('first second')
      const done = await upload(withDigest(locationOf(second, base()), digest), 'PUT', null)
      expect(done.status).toBe(201)
      expect(await (await blob('push/chunks', digest)).text()).toBe('first second')
    })

    test('with a chunk of unknown length and the last bytes in the PUT', async () => {
      const start = await startUpload(base(), 'push/stream')
      const body = ReadableStream.from([new TextEncoder().encode('streamed '), new TextEncoder().encode('and ')])
      const patch = await fetch(start, { method: 'PATCH', body, duplex: 'half' })
      expect(patch.status).toBe(202)
      const digest = sha256('streamed and closed')
      expect((await upload(withDigest(locationOf(patch, base()), digest), 'PUT', 'closed')).status).toBe(201)
      expect(await (await blob('push/stream', digest)).text()).toBe('streamed and closed')
    })

    test('a chunk out of order is 416, says where to go on, and changes nothing', async () => {
      const start = await startUpload(base(), 'push/order')
      await upload(start, 'PATCH', '0123', { 'Content-Range': '0-3' })
      for (const range of ['5-8', '0-3', '3-6']) {
        const refused = await upload(start, 'PATCH', 'wxyz', { 'Content-Range': range })
        expect(refused.headers.get('Range')).toBe('0-3')
        expect(await ociError(refused)).toMatchObject({ status: 416, code: 'BLOB_UPLOAD_INVALID' })
      }
      const digest = sha256('01234567')
      expect((await upload(withDigest(start, digest), 'PUT', '4567', { 'Content-Range': '4-7' })).status).toBe(201)
    })

    test('a chunk whose length is not that of its range is refused and changes nothing', async () => {
      const start = await startUpload(base(), 'push/lengths')
      expect(await ociError(await upload(start, 'PATCH', '0123', { 'Content-Range': '0-9' }))).toMatchObject({
        status: 400,
        code: 'SIZE_INVALID',
      })
      const unknownLength = ReadableStream.from([new TextEncoder().encode('0123')])
      const refused = await fetch(start, {
        method: 'PATCH',
        body: unknownLength,
        headers: { 'Content-Range': '0-9' },
        duplex: 'half',
      })
      expect(await ociError(refused)).toMatchObject({ status: 400, code: 'SIZE_INVALID' })
      expect((await upload(start, 'GET', null)).headers.get('Range')).toBe('0-0')
      expect(await ociError(await upload(start, 'PATCH', '0', { 'Content-Range': 'zero' }))).toMatchObject({
        code: 'BLOB_UPLOAD_INVALID',
      })
    })

    test('tells how far it is, and ends when it is cancelled', async () => {
      const start = await startUpload(base(), 'push/status')
      await upload(start, 'PATCH', '0123456789')
      const status = await upload(start, 'GET', null)
      expect([status.status, status.headers.get('Range')]).toEqual([204, '0-9'])
      expect(locationOf(status, base()).pathname).toBe(start.pathname)
      expect((await upload(start, 'DELETE', null)).status).toBe(204)
      for (const method of ['GET', 'PATCH', 'PUT', 'DELETE']) {
        const url = method === 'PUT' ? withDigest(start, sha256('')) : start
        expect(await ociError(await upload(url, method, null))).toMatchObject({
          status: 404,
          code: 'BLOB_UPLOAD_UNKNOWN',
        })
      }
    })

    test('with the wrong digest is refused; the session stays as it was and can be ended rightly', async () => {
      const start = await startUpload(base(), 'push/wrong')
      await upload(start, 'PATCH', 'right ')
      const refused = await upload(withDigest(start, sha256('wrong')), 'PUT', 'bytes')
      expect(await ociError(refused)).toMatchObject({ status: 400, code: 'DIGEST_INVALID' })
      expect((await blob('push/wrong', sha256('wrong'))).status).toBe(404)
      expect((await upload(start, 'GET', null)).headers.get('Range')).toBe('0-5')
      expect((await upload(withDigest(start, sha256('right bytes')), 'PUT', 'bytes')).status).toBe(201)
    })

    test.each(['', 'sha256:abc', `sha256:${'A'.repeat(64)}`, `md5:${'a'.repeat(32)}`, 'nonsense'])(
      'with the digest %o is DIGEST_INVALID',
      async (digest) => {
        const start = await startUpload(base(), 'push/malformed')
        expect(await ociError(await upload(withDigest(start, digest), 'PUT', 'x'))).toMatchObject({
          status: 400,
          code: 'DIGEST_INVALID',
        })
      },
    )

    test('belongs to its repository: its id is nothing under another name', async () => {
      const start = await startUpload(base(), 'push/mine')
      const foreign = new URL(start.href.replace('/push/mine/', '/push/yours/'))
      for (const method of ['GET', 'PATCH', 'DELETE']) {
        expect(await ociError(await upload(foreign, method, null))).toMatchObject({
          status: 404,
          code: 'BLOB_UPLOAD_UNKNOWN',
        })
      }
      expect((await upload(start, 'GET', null)).status).toBe(204)
    })

    test.each(['..', 'x', '%2e%2e', '00000000-0000-4000-8000-000000000000-0123456789abcdef'])(
      'with the id %s is unknown',
      async (id) => {
        const response = await fetch(`${base()}/v2/push/ids/blobs/uploads/${id}`)
        expect(response.status).toBeGreaterThanOrEqual(400)
        expect(response.status).toBeLessThan(500)
      },
    )

    test('of the same blob by many clients at once succeeds for each', async () => {
      const content = 'pushed by many '.repeat(50_000)
      const digests = await Promise.all(Array.from({ length: 8 }, () => pushBlob(base(), 'push/many', content)))
      expect(await (await blob('push/many', digests[0] ?? '')).text()).toBe(content)
    })
  })

  describe('a mount', () => {
    test('makes a blob of one repository belong to another', async () => {
      const digest = await pushBlob(base(), 'push/source', 'mounted')
      const response = await fetch(`${base()}/v2/push/target/blobs/uploads/?mount=${digest}&from=push/source`, {
        method: 'POST',
      })
      expect(response.status).toBe(201)
      expect(response.headers.get('Docker-Content-Digest')).toBe(digest)
      expect(await (await blob('push/target', digest)).text()).toBe('mounted')
    })

    test.each(['from=push/without', 'from=Not/A/Name', ''])(
      'of what is not there (%s) begins an upload instead',
      async (from) => {
        const response = await fetch(`${base()}/v2/push/target/blobs/uploads/?mount=${sha256('nowhere')}&${from}`, {
          method: 'POST',
        })
        expect(response.status).toBe(202)
        expect(locationOf(response, base()).pathname).toContain('/v2/push/target/blobs/uploads/')
      },
    )

    test('without from finds the blob wherever it is', async () => {
      const digest = await pushBlob(base(), 'push/somewhere', 'found anywhere')
      expect((await fetch(`${base()}/v2/push/target/blobs/uploads/?mount=${digest}`, { method: 'POST' })).status).toBe(
        201,
      )
    })
  })
}
