// Who may do what: the whole table of routes, methods, rules and kinds of name.

import { describe, expect, test } from 'vitest'
import type { AccessRules } from '../../shared/auth/access.ts'
import { authorize } from '../../shared/auth/authorize.ts'
import { parseRoute, routeMethods, wantedBy } from '../../shared/http/routes.ts'
import { digest } from '../support/arbitraries.ts'

const sample = digest(`sha256:${'a'.repeat(64)}`)
const pushed = 'library/alpine'
const cid = `bafybei${'a'.repeat(52)}`
const contentNames = [cid, 'a'.repeat(64), 'b'.repeat(128)]

/** Every route with a name, by every method it takes. */
const requests = (name: string) =>
  Object.entries({
    manifest: `/v2/${name}/manifests/latest`,
    blob: `/v2/${name}/blobs/${sample}`,
    uploads: `/v2/${name}/blobs/uploads/`,
    upload: `/v2/${name}/blobs/uploads/id`,
    tags: `/v2/${name}/tags/list`,
    referrers: `/v2/${name}/referrers/${sample}`,
  } as const).flatMap(([kind, path]) =>
    routeMethods[kind as keyof typeof routeMethods].map((method) => ({ method, path })),
  )

const pulls = new Set(['manifests', 'tags', sample])
const isPull = ({ method, path }: { method: string; path: string }) =>
  (method === 'GET' || method === 'HEAD') && path.split('/').some((segment) => pulls.has(segment))

const isDelete = ({ method, path }: { method: string; path: string }) =>
  method === 'DELETE' && !path.includes('/uploads/')

function refusal(anonymous: 'pull' | 'push', request: { method: string; path: string }, deletes = true) {
  return refusalBy({ anonymous, delete: deletes }, request)
}

/** Where nobody can sign in. */
function refusalBy(rules: AccessRules, { method, path }: { method: string; path: string }): unknown {
  const wanted = wantedBy(method, parseRoute(method, path))
  if (wanted === undefined) throw new Error('no such request')
  try {
    authorize(rules, undefined, { address: undefined, scheme: 'http', host: 'registry.test' }, undefined, wanted)
    return undefined
  } catch (error) {
    return error
  }
}

test.each(['/v2/', '/v2/_catalog'])('%s may be asked for by everyone', (path) => {
  expect(refusalBy({ anonymous: 'pull', delete: false }, { method: 'GET', path })).toBeUndefined()
})

describe.each(requests(pushed))('$method $path', (request) => {
  test('is allowed where everyone may push', () => {
    expect(refusal('push', request)).toBeUndefined()
  })

  test('is refused where deleting is switched off, if it is a delete', () => {
    const found = refusal('push', request, false)
    if (isDelete(request)) expect(found).toMatchObject({ code: 'UNSUPPORTED', status: 405 })
    else expect(found).toBeUndefined()
  })

  test('is allowed where everyone may only pull, if it is a pull, and else DENIED', () => {
    const found = refusal('pull', request)
    if (isPull(request)) expect(found).toBeUndefined()
    else expect(found).toMatchObject({ code: 'DENIED', status: 403 })
  })
})

describe.each(contentNames)('under the content name %s', (name) => {
  test.each(['pull', 'push'] as const)('only pulls are allowed, also where everyone may %s', (anonymous) => {
    for (const request of requests(name)) {
      const found = refusal(anonymous, request)
      if (isPull(request)) expect(found).toBeUndefined()
      else expect(found).toMatchObject({ code: 'DENIED', status: 403 })
    }
  })
})

test('a name that only holds a content name is pushed to like any other', () => {
  for (const request of requests(`mirror/${cid}`)) expect(refusal('push', request)).toBeUndefined()
})

test.each([...requests(pushed), ...requests(cid)])(
  'where the registry is read-only $method $path is a pull or is refused, whatever else is set',
  (request) => {
    for (const anonymous of ['pull', 'push'] as const) {
      const rules = { anonymous, delete: true, readOnly: true }
      const refused = refusalBy(rules, request)
      if (isPull(request)) expect(refused).toBeUndefined()
      else expect(refused).toMatchObject({ code: 'UNSUPPORTED', status: 405, summary: 'this registry is read-only' })
    }
  },
)
