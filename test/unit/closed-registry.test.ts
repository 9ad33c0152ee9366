// A registry that nobody reads without signing in: every route and method of the access table, at origin and edge.

import { beforeAll, describe, expect, test } from 'vitest'
import type { AccessRules } from '../../shared/auth/access.ts'
import { type Call, rows } from '../support/access/table/routes.ts'
import { edgeApp, fetchOf, originApp } from '../support/apps.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { sha256 } from '../support/image.ts'
import { createMemoryBucket, type Objects } from '../support/bucket/memory-bucket.ts'
import { createMemoryUploads } from '../support/bucket/memory-uploads.ts'
import { ownAuthentication } from '../support/access/own-authentication.ts'

const access: AccessRules = { anonymous: 'none', users: 'pull', delete: true }
const names = ['some/name', 'a'.repeat(64), `bafybei${'a'.repeat(52)}`]

/** Every request that needs a right or a token, with the path it has for a repository. */
const requests = names.flatMap((name) =>
  Object.entries(rows)
    .filter(([kind]) => kind !== 'token')
    .flatMap(([kind, row]) => {
      const [digest, session] = [sha256('x'), 'session']
      const paths = row.paths({ name, tag: 'v1', digest, blob: digest, session, manifest: '{}' })
      return Object.entries<Call>(row.calls).flatMap(([method, { need }]) =>
        paths.map((path) => ({ kind, name, method, path, need })),
      )
    }),
)

let apps: { origin: ReturnType<typeof originApp>; edge: ReturnType<typeof edgeApp> }
let headers: Awaited<ReturnType<typeof ownAuthentication>>['headers']

beforeAll(async () => {
  const clock = createFakeClock()
  const objects: Objects = new Map()
  const [bucket, uploads] = [createMemoryBucket(objects), createMemoryUploads(objects)]
  const own = await ownAuthentication(clock)
  const origin = originApp({ bucket, uploads, clock, access, auth: own.auth })
  apps = { origin, edge: edgeApp({ bucket, clock, access, auth: own.auth, fetch: fetchOf(origin) }) }
  headers = own.headers
})

describe.each(['origin', 'edge'] as const)('at the %s', (face) => {
  test.each(requests)('$method $path', async ({ kind, name, method, path, need }) => {
    const ask = (sent: Record<string, string>) => apps[face].request(`http://r${path}`, { method, headers: sent })
    // Nobody at all pushes to the names of content, whoever asks.
    const isClosed = name !== 'some/name' && (need === 'push' || need === 'delete')
    const unknown = [await ask({}), await ask({ Authorization: 'Bearer anonymous' })].map(({ status }) => status)
    // It is from this answer that clients know of the token service: a token of any kind will do.
    expect(unknown).toEqual(isClosed ? [403, 403] : [401, kind === 'version' ? 200 : 401])
    if (kind === 'version' || kind === 'catalog') return
    const user = await headers('alice', name, { granted: ['pull'], refused: ['push', 'delete', 'fetch'] })
    const { status } = await ask(user)
    if (need === 'pull') expect(status).toBeOneOf([200, 404])
    else expect(status).toBe(403)
  })
})
