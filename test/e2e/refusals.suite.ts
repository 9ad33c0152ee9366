// What a client is told whose request is refused, the same at the origin and through every edge.

import { describe, expect, test } from 'vitest'
import { ociError } from '../support/http-client.ts'
import { sha256 } from '../support/image.ts'

export function refusalsSuite(base: () => string): void {
  describe('a refusal', () => {
    const cid = 'bafybeifgiohmkpler4ehm574opdadrs6kk6u64x4geq2dnl4sxq6lvemzu'

    test.each([cid, 'a'.repeat(64), 'a'.repeat(128)])(
      'pushes to the content name %s are DENIED, every kind of them',
      async (name) => {
        const requests: [string, string][] = [
          ['POST', `/v2/${name}/blobs/uploads/`],
          ['POST', `/v2/${name}/blobs/uploads/?mount=${sha256('x')}&from=a/b`],
          ['PATCH', `/v2/${name}/blobs/uploads/x`],
          ['PUT', `/v2/${name}/blobs/uploads/x?digest=${sha256('x')}`],
          ['DELETE', `/v2/${name}/blobs/uploads/x`],
          ['PUT', `/v2/${name}/manifests/latest`],
        ]
        for (const [method, path] of requests) {
          expect(await ociError(await fetch(`${base()}${path}`, { method }))).toMatchObject({
            status: 403,
            code: 'DENIED',
          })
        }
        expect((await fetch(`${base()}/v2/${name}/manifests/latest`)).status).toBe(404)
      },
    )

    test('a name of two components is nobody’s content, though one looks like it', async () => {
      expect((await fetch(`${base()}/v2/mirror/${cid}/blobs/uploads/`, { method: 'POST' })).status).toBe(202)
    })

    test.each([
      ['POST', '/v2/Upper/blobs/uploads/', 400, 'NAME_INVALID'],
      ['GET', '/v2/a%2Fb/manifests/latest', 400, 'NAME_INVALID'],
      ['GET', '/v2/a//b/manifests/latest', 400, 'NAME_INVALID'],
      ['GET', `/v2/${'a/'.repeat(128)}a/manifests/latest`, 400, 'NAME_INVALID'],
      ['GET', '/v2/a/blobs/sha256:abc', 400, 'DIGEST_INVALID'],
      ['GET', '/v2/a/manifests/sha256:abc', 400, 'DIGEST_INVALID'],
      ['PUT', '/v2/a/manifests/-dash', 400, 'MANIFEST_INVALID'],
      ['DELETE', '/v2/', 405, 'UNSUPPORTED'],
      ['POST', '/v2/a/tags/list', 405, 'UNSUPPORTED'],
      ['PATCH', '/v2/a/manifests/latest', 405, 'UNSUPPORTED'],
      ['GET', '/v2/a/blobs/uploads/', 405, 'UNSUPPORTED'],
      ['GET', '/v2/a', 404, 'UNSUPPORTED'],
      ['GET', '/', 404, 'UNSUPPORTED'],
    ])('%s %s is %i %s', async (method, path, status, code) => {
      const response = await fetch(`${base()}${path}`, { method })
      expect(response.headers.get('Cache-Control')).toBe('no-store')
      expect(await ociError(response)).toMatchObject({ status, code })
      if (status === 405) expect(response.headers.get('Allow')).not.toBeNull()
    })
  })
}
