// The one parser of paths: every route gives back its parts, whatever words the names hold; everything else is refused.

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseRoute, type Route, routeMethods, wantedBy } from '../../shared/http/routes.ts'
import { OciError } from '../../shared/protocol/errors.ts'
import { digest, digests, repositoryNames, tags } from '../support/arbitraries.ts'

const hex = 'a'.repeat(64)
const sample = digest(`sha256:${hex}`)
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'get', 'QUERY']
const kinds = Object.keys(routeMethods) as Route['kind'][]

/** One well-formed path a route. */
const samplePaths: Readonly<Record<Route['kind'], string>> = {
  version: '/v2/',
  manifest: '/v2/a/manifests/latest',
  blob: `/v2/a/blobs/${sample}`,
  uploads: '/v2/a/blobs/uploads/',
  upload: '/v2/a/blobs/uploads/some-id',
  tags: '/v2/a/tags/list',
  referrers: `/v2/a/referrers/${sample}`,
  catalog: '/v2/_catalog',
  token: '/token',
}

const anyMethod = (kind: Route['kind']) => fc.constantFrom(...routeMethods[kind])
const ids = fc.oneof(fc.uuid(), fc.constantFrom('uploads', 'blobs', 'manifests', 'list', 'latest', '.', '%2F', sample))

describe('a path gives back its parts', () => {
  test('of a manifest by tag', () => {
    fc.assert(
      fc.property(anyMethod('manifest'), repositoryNames, tags, (method, name, tag) => {
        const route = parseRoute(method, `/v2/${name}/manifests/${tag}`)
        expect(route).toEqual({ kind: 'manifest', name, reference: { kind: 'tag', tag } })
      }),
    )
  })

  test('of a manifest by digest, its colon percent-encoded or not', () => {
    fc.assert(
      fc.property(anyMethod('manifest'), repositoryNames, digests, (method, name, digest) => {
        const expected = { kind: 'manifest', name, reference: { kind: 'digest', digest } }
        for (const colon of [':', '%3A', '%3a']) {
          expect(parseRoute(method, `/v2/${name}/manifests/${digest.replace(':', colon)}`)).toEqual(expected)
        }
      }),
    )
  })

  test('of a blob, its colon percent-encoded or not', () => {
    fc.assert(
      fc.property(anyMethod('blob'), repositoryNames, digests, (method, name, digest) => {
        for (const colon of [':', '%3A', '%3a']) {
          const route = parseRoute(method, `/v2/${name}/blobs/${digest.replace(':', colon)}`)
          expect(route).toEqual({ kind: 'blob', name, digest })
        }
      }),
    )
  })

  test('of the uploads, with the closing slash and without', () => {
    fc.assert(
      fc.property(repositoryNames, (name) => {
        for (const slash of ['/', '']) {
          expect(parseRoute('POST', `/v2/${name}/blobs/uploads${slash}`)).toEqual({ kind: 'uploads', name })
        }
      }),
    )
  })

  test('of an upload, its id as it was sent', () => {
    fc.assert(
      fc.property(anyMethod('upload'), repositoryNames, ids, (method, name, id) => {
        expect(parseRoute(method, `/v2/${name}/blobs/uploads/${id}`)).toEqual({ kind: 'upload', name, id })
      }),
    )
  })

  test('of the tags', () => {
    fc.assert(
      fc.property(anyMethod('tags'), repositoryNames, (method, name) => {
        expect(parseRoute(method, `/v2/${name}/tags/list`)).toEqual({ kind: 'tags', name })
      }),
    )
  })

  test.each(['/v2/', '/v2'])('of the version at %s', (path) => {
    expect(parseRoute('GET', path)).toEqual({ kind: 'version' })
  })
})

test.each([
  ['POST', '/v2/a/manifests/blobs/uploads/', { kind: 'uploads', name: 'a/manifests' }],
  ['GET', '/v2/a/blobs/uploads/manifests/latest', 'a/blobs/uploads'],
  ['GET', '/v2/a/blobs/manifests/uploads', 'a/blobs'],
  ['GET', '/v2/manifests/manifests/manifests', 'manifests'],
  ['GET', '/v2/a/blobs/uploads/tags/list', { kind: 'tags', name: 'a/blobs/uploads' }],
  ['GET', '/v2/tags/list/tags/list', { kind: 'tags', name: 'tags/list' }],
  ['GET', `/v2/a/blobs/uploads/blobs/${sample}`, { kind: 'blob', name: 'a/blobs/uploads', digest: sample }],
  ['POST', '/v2/a/blobs/uploads/blobs/uploads', { kind: 'uploads', name: 'a/blobs/uploads' }],
  ['PUT', '/v2/a/blobs/uploads/blobs/uploads/id', { kind: 'upload', name: 'a/blobs/uploads', id: 'id' }],
  ['GET', '/v2/token/tags/list', { kind: 'tags', name: 'token' }],
  ['GET', '/v2/token/manifests/token', 'token'],
])('%s %s is read from its end', (method, path, expected) => {
  const route = parseRoute(method, path)
  if (typeof expected === 'string') expect(route).toMatchObject({ kind: 'manifest', name: expected })
  else expect(route).toEqual(expected)
})

describe('a path is refused', () => {
  test.each([
    ['nothing', 'GET', '', 404, 'UNSUPPORTED'],
    ['the root', 'GET', '/', 404, 'UNSUPPORTED'],
    ['another version', 'GET', '/v1/a/tags/list', 404, 'UNSUPPORTED'],
    ['a version in upper case', 'GET', '/V2/', 404, 'UNSUPPORTED'],
    ['a version that only begins alike', 'GET', '/v2x/a/tags/list', 404, 'UNSUPPORTED'],
    ['two slashes in front', 'GET', '//v2/', 404, 'UNSUPPORTED'],
    ['two slashes behind the version', 'GET', '/v2//', 404, 'UNSUPPORTED'],
    ['a name alone', 'GET', '/v2/a', 404, 'UNSUPPORTED'],
    ['a slash behind a manifest', 'GET', '/v2/a/manifests/latest/', 404, 'UNSUPPORTED'],
    ['a slash behind the tags', 'GET', '/v2/a/tags/list/', 404, 'UNSUPPORTED'],
    ['something behind an upload', 'PUT', '/v2/a/blobs/uploads/id/more', 404, 'UNSUPPORTED'],
    ['tags without list', 'GET', '/v2/a/tags/', 404, 'UNSUPPORTED'],
    ['a percent-encoded word of a route', 'GET', `/v2/a/bl%6Fbs/${sample}`, 404, 'UNSUPPORTED'],
    ['no name', 'GET', '/v2/manifests/latest', 400, 'NAME_INVALID'],
    ['no name of a blob', 'GET', `/v2/blobs/${sample}`, 400, 'NAME_INVALID'],
    ['no name of an upload', 'POST', '/v2/blobs/uploads/', 400, 'NAME_INVALID'],
    ['an empty component', 'GET', '/v2/a//b/manifests/latest', 400, 'NAME_INVALID'],
    ['a slash before the name', 'GET', '/v2//a/tags/list', 400, 'NAME_INVALID'],
    ['`..` in the name', 'GET', '/v2/a/../b/manifests/latest', 400, 'NAME_INVALID'],
    ['a percent-encoded slash in the name', 'GET', '/v2/a%2Fb/manifests/latest', 400, 'NAME_INVALID'],
    ['a percent-encoded letter in the name', 'GET', '/v2/%61/tags/list', 400, 'NAME_INVALID'],
    ['upper case in the name', 'PUT', '/v2/A/manifests/latest', 400, 'NAME_INVALID'],
    ['a name of 256 characters', 'GET', `/v2/${'a'.repeat(256)}/tags/list`, 400, 'NAME_INVALID'],
    ['no reference', 'GET', '/v2/a/manifests/', 404, 'MANIFEST_UNKNOWN'],
    ['a pull by what is no tag', 'GET', '/v2/a/manifests/-x', 404, 'MANIFEST_UNKNOWN'],
    ['a HEAD by what is no tag', 'HEAD', '/v2/a/manifests/-x', 404, 'MANIFEST_UNKNOWN'],
    ['a push to what is no tag', 'PUT', '/v2/a/manifests/-x', 400, 'MANIFEST_INVALID'],
    ['a tag of 129 characters', 'PUT', `/v2/a/manifests/${'t'.repeat(129)}`, 400, 'MANIFEST_INVALID'],
    ['a tag with a slash in percent-encoding', 'GET', '/v2/a/manifests/x%2Fy', 404, 'MANIFEST_UNKNOWN'],
    ['a tag that climbs in percent-encoding', 'GET', '/v2/a/manifests/..%2F..%2Fb', 404, 'MANIFEST_UNKNOWN'],
    ['broken percent-encoding', 'GET', '/v2/a/manifests/%', 404, 'MANIFEST_UNKNOWN'],
    ['a NUL in percent-encoding', 'GET', '/v2/a/manifests/v1%00', 404, 'MANIFEST_UNKNOWN'],
    ['a digest encoded twice', 'GET', `/v2/a/blobs/sha256%253A${hex}`, 400, 'DIGEST_INVALID'],
    ['a short digest', 'GET', `/v2/a/manifests/sha256:${hex.slice(1)}`, 400, 'DIGEST_INVALID'],
    ['an unknown algorithm', 'PUT', `/v2/a/manifests/md5:${'a'.repeat(32)}`, 400, 'DIGEST_INVALID'],
    ['upper-case hex', 'GET', `/v2/a/blobs/sha256:${'A'.repeat(64)}`, 400, 'DIGEST_INVALID'],
    ['no digest', 'GET', '/v2/a/blobs/', 400, 'DIGEST_INVALID'],
    ['a blob by tag', 'GET', '/v2/a/blobs/latest', 400, 'DIGEST_INVALID'],
    ['a percent-encoded `uploads`, which is no digest', 'GET', '/v2/a/blobs/%75ploads', 400, 'DIGEST_INVALID'],
  ])('with %s', (_, method, path, status, code) => {
    expect(() => parseRoute(method, path)).toThrow(expect.objectContaining({ name: 'OciError', status, code }))
  })

  test('with nothing but an OciError, which does not list routes, whatever it is', () => {
    const pieces = fc.constantFrom(
      'v2',
      'a',
      'A',
      '..',
      '',
      'blobs',
      'uploads',
      'manifests',
      'tags',
      'list',
      '%',
      '%2F',
      sample,
    )
    const paths = fc.oneof(
      fc.string(),
      fc.array(pieces, { maxLength: 8 }).map((each) => `/${each.join('/')}`),
    )
    fc.assert(
      fc.property(fc.constantFrom(...methods), paths, (method, path) => {
        try {
          expect(kinds).toContain(parseRoute(method, path).kind)
        } catch (error) {
          if (!(error instanceof OciError)) throw error
          expect(error.detail).not.toMatch(/\/v2|manifests\/|blobs\/|tags\/list/)
        }
      }),
      { numRuns: 1000 },
    )
  })
})

describe.each(kinds)('the route %s', (kind) => {
  const allowed: readonly string[] = routeMethods[kind]

  test.each(methods.filter((method) => allowed.includes(method)))('takes %s', (method) => {
    expect(parseRoute(method, samplePaths[kind]).kind).toBe(kind)
  })

  test.each(methods.filter((method) => !allowed.includes(method)))(
    'refuses %s with 405 and says what it takes',
    (method) => {
      expect(() => parseRoute(method, samplePaths[kind])).toThrow(
        expect.objectContaining({ code: 'UNSUPPORTED', status: 405, headers: { Allow: allowed.join(', ') } }),
      )
    },
  )
})

test('every write needs the right to push, all that concerns an upload too, and what takes content away the right to delete', () => {
  const needing = (right: string) =>
    kinds.flatMap((kind) =>
      routeMethods[kind]
        .filter((method) => {
          const wanted = wantedBy(method, parseRoute(method, samplePaths[kind]))
          return wanted?.kind === 'repository' && wanted.right === right
        })
        .map((method) => `${method} ${kind}`),
    )
  expect(needing('push')).toEqual([
    'PUT manifest',
    'POST uploads',
    'GET upload',
    'PATCH upload',
    'PUT upload',
    'DELETE upload',
  ])
  expect(needing('delete')).toEqual(['DELETE manifest', 'DELETE blob'])
})
