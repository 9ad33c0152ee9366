// Uploads that are begun by an edge, and go on at the origin's public host by the capability in their URL.

import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createFolderRecords } from '../../origin/accounts/folder-records.ts'
import { unhurried } from '../../shared/concurrency/unhurried.ts'
import { randomKey } from '../../origin/accounts/random-key.ts'
import { createUploadCapabilities } from '../../shared/auth/upload-capability.ts'
import type { RepositoryName } from '../../shared/protocol/names.ts'
import { passwords } from '../support/faces/closed-faces.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import {
  locationOf,
  ociError,
  pushBlob,
  putManifest,
  startUpload,
  withDigest,
  manifestText,
  ociManifestType,
} from '../support/http-client.ts'
import { sha256 } from '../support/image.ts'
import { slugOf } from '../support/faces/faces.ts'
import { type FacesWithPublicHost, startFacesWithPublicHost } from '../support/faces/public-host.ts'
import { basic, bearer, tokenFrom } from '../support/access/signed-in.ts'

const name = 'team/app'
const scope = [`repository:${name}:pull,push`]
const day = 24 * 3600_000

let faces: FacesWithPublicHost
/** Headers of a user with the right to push. */
let alice: { readonly Authorization: string }

beforeAll(async () => {
  faces = await startFacesWithPublicHost()
  const { token } = await tokenFrom(faces.url('origin'), scope, basic('alice', passwords.alice))
  alice = bearer(token)
})

afterAll(async () => {
  await faces.stop()
  expect(faces.failures()).toEqual([])
})

const patch = (url: URL, body: string, headers: Record<string, string> = {}) =>
  fetch(url, { method: 'PATCH', body, headers: { 'Content-Type': 'application/octet-stream', ...headers } })

describe.each(['edge on Node', 'edge in workerd'] as const)('an upload that begins at the %s', (edge) => {
  const begin = () => startUpload(faces.url(edge), name, alice)

  test('goes on at the public host, without a token', async () => {
    const url = await begin()
    expect(url.origin).toBe(faces.publicUrl)

    const appended = await patch(url, 'some ')
    expect([appended.status, appended.headers.get('Range')]).toEqual([202, '0-4'])
    const next = locationOf(appended, url.href)
    expect(next.href).toBe(url.href)
    const status = await fetch(next)
    expect([status.status, status.headers.get('Range')]).toEqual([204, '0-4'])
    expect(locationOf(status, url.href).href).toBe(url.href)
    const content = `some bytes by the ${edge}`
    const put = await fetch(withDigest(next, sha256(content)), { method: 'PUT', body: content.slice(5) })

    expect([put.status, put.headers.get('Location')]).toEqual([201, `/v2/${name}/blobs/${sha256(content)}`])
    const pulled = await fetch(`${faces.url(edge)}/v2/${name}/blobs/${sha256(content)}`, { headers: alice })
    expect(await pulled.text()).toBe(content)
  })

  test('says there too where it stands, when a chunk comes out of order', async () => {
    const url = await begin()
    await patch(url, 'some ')

    const refused = await patch(url, 'bytes', { 'Content-Range': '7-11' })

    expect([refused.status, refused.headers.get('Range')]).toEqual([416, '0-4'])
    expect(locationOf(refused, url.href).href).toBe(url.href)
  })

  test('can be ended there', async () => {
    const url = await begin()
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(204)
    expect((await fetch(url)).status).toBe(404)
  })

  test.each([
    [
      'of somebody else',
      async () => bearer((await tokenFrom(faces.url('origin'), scope, basic('bob', passwords.bob))).token),
    ],
    ['that is good for nothing', () => bearer('nothing')],
    ['with a password', () => basic('bob', 'wrong')],
  ])('goes on whatever an Authorization %s says', async (_, headers) => {
    const url = await begin()
    expect((await patch(url, 'bytes', await headers())).status).toBe(202)
  })

  test('goes on at the edge too, by its capability or by the token', async () => {
    const url = await begin()
    const atEdge = new URL(url.pathname + url.search, faces.url(edge))
    expect((await patch(atEdge, 'a')).status).toBe(202)
    atEdge.search = ''
    expect((await patch(atEdge, 'b', alice)).status).toBe(202)
    expect((await patch(atEdge, 'c')).status).toBe(401)
    expect((await fetch(url)).headers.get('Range')).toBe('0-1')
  })

  test('takes a blob with its POST, which is passed on', async () => {
    const content = `all at once by the ${edge}`
    const url = `${faces.url(edge)}/v2/${name}/blobs/uploads/?digest=${sha256(content)}`
    const answer = await fetch(url, { method: 'POST', body: content, headers: alice })
    expect([answer.status, answer.headers.get('Location')]).toEqual([201, `/v2/${name}/blobs/${sha256(content)}`])
  })

  test('is refused there to who may not push', async () => {
    for (const headers of [{}, { Authorization: 'Bearer anonymous' }]) {
      const answer = await fetch(`${faces.url(edge)}/v2/${name}/blobs/uploads/`, { method: 'POST', headers })
      expect([answer.status, answer.headers.get('Location')]).toEqual([401, null])
    }
  })

  test('leaves a whole image behind, none of whose bytes the edge has seen', async () => {
    // Of its own, since the log of another test's last answer may be late.
    const image = `team/image-${slugOf(edge)}`
    const { token } = await tokenFrom(
      faces.url('origin'),
      [`repository:${image}:pull,push`],
      basic('alice', passwords.alice),
    )
    const config = JSON.stringify({ architecture: 'amd64', os: 'linux', edge })
    for (const content of [config, 'a layer']) await pushBlob(faces.url(edge), image, content, bearer(token))
    const manifest = manifestText(config, ['a layer'])
    const put = await putManifest(faces.url(edge), image, 'latest', manifest, ociManifestType, bearer(token))
    expect(put.status).toBe(201)
    const seen = () =>
      faces
        .log(edge)
        .filter((line) => line['name'] === image)
        .map(({ route, method }) => `${method} ${route}`)
    await expect.poll(seen).toEqual(['POST uploads', 'POST uploads', 'PUT manifest'])
  })
})

test('an upload that begins at the origin goes on there', async () => {
  const url = await startUpload(faces.url('origin'), name, alice)
  expect([url.origin, url.search]).toEqual([faces.url('origin'), ''])
  expect((await patch(url, 'bytes')).status).toBe(401)
})

describe('refused, and nothing is changed:', () => {
  let url: URL
  let forgery: (changes?: { name?: string; id?: string; user?: string; ageMs?: number }) => Promise<URL>

  beforeAll(async () => {
    url = await startUpload(faces.url('edge on Node'), name, alice)
    const key = await randomKey(createFolderRecords(join(faces.dataFolder, 'accounts')), 'upload-key', unhurried)
    const ownId = url.pathname.split('/').at(-1) ?? ''
    forgery = async ({ name: other = name, id = ownId, user = 'alice', ageMs = 0 } = {}) => {
      const clock = createFakeClock(Date.now() - ageMs)
      const capabilities = createUploadCapabilities({ key, lifeMs: day, clock })
      return withCapability(url, await capabilities.issue({ name: other as RepositoryName, id, user }))
    }
  })

  function withCapability(upload: URL, capability: string): URL {
    const changed = new URL(upload)
    changed.searchParams.set('capability', capability)
    return changed
  }

  const refused: Readonly<Record<string, () => URL | Promise<URL>>> = {
    'a forged capability': () => withCapability(url, 'e30.e30.AAAA'),
    'an empty one': () => withCapability(url, ''),
    'one of another upload': () => forgery({ id: 'another' }),
    'one of another repository': () => forgery({ name: 'open/app' }),
    'one that has expired': () => forgery({ ageMs: day + 1000 }),
    'one whose owner may not push here any more': () => forgery({ user: 'bob' }),
    'one with a good one behind it': () => {
      const both = new URL(url)
      both.search = `?capability=x&${url.search.slice(1)}`
      return both
    },
    'a token in its place': () => withCapability(url, alice.Authorization.slice('Bearer '.length)),
  }

  describe.each(Object.entries(refused))('%s', (_, make) => {
    test.each([
      ['', {}],
      [' and a good token', { token: true }],
    ])('with every method%s', async (__, { token = false }: { token?: boolean }) => {
      const headers = token ? alice : {}
      const target = await make()
      for (const method of ['GET', 'PATCH', 'PUT', 'DELETE']) {
        const body = method === 'PATCH' || method === 'PUT' ? { body: 'wrong' } : {}
        const answer = await fetch(withDigest(target, sha256('wrong')), { method, headers, ...body })
        if (method === 'GET') expect(answer.status).toBe(403)
        expect(await ociError(answer)).toMatchObject({ status: 403, code: 'DENIED' })
      }
      expect((await fetch(url)).headers.get('Range')).toBe('0-0')
    })
  })

  test('one of another upload of the same user, in its URL', async () => {
    const other = await startUpload(faces.url('edge on Node'), name, alice)
    const swapped = new URL(other)
    swapped.search = url.search
    expect((await patch(swapped, 'wrong')).status).toBe(403)
    expect((await fetch(other)).headers.get('Range')).toBe('0-0')
  })

  test('one that was used to the end', async () => {
    const used = await startUpload(faces.url('edge on Node'), name, alice)
    expect((await fetch(withDigest(used, sha256('x')), { method: 'PUT', body: 'x' })).status).toBe(201)
    for (const method of ['GET', 'PATCH', 'PUT', 'DELETE'])
      expect((await fetch(withDigest(used, sha256('x')), { method })).status).toBe(404)
  })

  test('a capability in any other URL', async () => {
    for (const path of [`/v2/${name}/blobs/uploads/`, `/v2/${name}/manifests/latest`, `/v2/${name}/tags/list`]) {
      const method = path.endsWith('/') ? 'POST' : 'GET'
      expect((await fetch(faces.publicUrl + path + url.search, { method })).status).toBe(401)
    }
  })
})

test('no capability is in a log', async () => {
  const url = await startUpload(faces.url('edge on Node'), name, alice)
  await patch(url, 'bytes')
  const capability = url.searchParams.get('capability') ?? ''
  expect(capability).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/)
  await fetch(url, { method: 'DELETE' })
  await expect.poll(() => faces.log('origin').at(-1)).toMatchObject({ route: 'upload', method: 'DELETE', status: 204 })
  expect(faces.printed()).not.toContain(capability.split('.')[1])
})
