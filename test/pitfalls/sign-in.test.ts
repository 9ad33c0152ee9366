// Pitfalls by their numbers, where users sign in: who may do what, and what answers tell. Those of working together with
// clients are in sign-in-clients.test.ts.

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { faceNames } from '../support/faces/faces.ts'
import { pushImage, type SmallImage, startUpload } from '../support/http-client.ts'
import { sha256 } from '../support/image.ts'
import { filesIn, lookAtFilesIn } from '../support/registry-content.ts'
import { eventually } from '../support/stack.ts'
import {
  basic,
  bearer,
  type FacesWithUsers,
  makePersonalToken,
  startFacesWithUsers,
  tokenFrom,
} from '../support/access/signed-in.ts'

let faces: FacesWithUsers
let image: SmallImage

beforeAll(async () => {
  faces = await startFacesWithUsers()
  ;({ image } = faces)
})

afterAll(() => faces.stop())

describe.each(faceNames)('at the %s', (face) => {
  let base: string
  beforeEach(() => {
    base = faces.url(face)
  })

  const get = (path: string, init: RequestInit = {}) => fetch(`${base}${path}`, { redirect: 'manual', ...init })
  const as = (user: string, ...names: readonly string[]) => faces.as(face, user, ...names)

  test('pitfall 4: 401, 403 and 404 say themselves that nobody may keep them, those of the token service too', async () => {
    const stranger = await as('stranger', 'private/app')
    const asked: readonly [number, string, RequestInit?][] = [
      [401, '/v2/'],
      [401, '/v2/private/app/manifests/v1'],
      [401, '/v2/private/app/manifests/v1', { method: 'HEAD' }],
      [401, `/v2/private/app/blobs/${sha256(image.layer)}`, { headers: bearer('x.y.z') }],
      [401, '/v2/public/app/blobs/uploads/', { method: 'POST' }],
      [403, '/v2/private/app/tags/list', { headers: stranger }],
      [403, '/v2/private/app/tags/list', { method: 'HEAD', headers: stranger }],
      [404, '/v2/public/none/manifests/v1'],
      [404, '/v2/public/none/manifests/v1', { headers: stranger }],
      [404, '/nothing'],
      [401, '/token', { headers: basic('reader', 'wrong') }],
      [400, '/token', { method: 'POST' }],
      [405, '/token', { method: 'DELETE' }],
      [200, '/token'],
    ]
    for (const [status, path, init] of asked) {
      const answer = await get(path, init)
      expect([path, answer.status, answer.headers.get('Cache-Control')]).toEqual([path, status, 'no-store'])
    }
  })

  test('pitfall 16: the policy on a manifest is that on its blobs, lists, parts, HEADs and 304s, and does not tell what is there', async () => {
    const there = { tag: 'v1', manifest: image.digest, blob: sha256(image.layer) }
    const missing = { tag: 'v9', manifest: sha256('no manifest'), blob: sha256('no blob') }
    const reader = await as('reader', 'private/app')
    const others = [
      [401, {}],
      [401, bearer('anonymous')],
      [401, await as('reader', 'public/app')],
      [403, await as('stranger', 'private/app')],
    ] as const
    const ask = async ({ tag, manifest, blob }: typeof there, headers: Record<string, string>) => {
      const paths = [`manifests/${tag}`, `manifests/${manifest}`, `blobs/${blob}`, 'tags/list', `referrers/${manifest}`]
      const answers: [string, number, string | null, string][] = []
      for (const path of paths) {
        for (const init of [
          { method: 'GET', headers },
          { method: 'HEAD', headers },
          { method: 'GET', headers: { ...headers, Range: 'bytes=0-0' } },
          { method: 'GET', headers: { ...headers, 'If-None-Match': `"${path.split('/').at(-1)}"` } },
        ]) {
          const answer = await get(`/v2/private/app/${path}`, init)
          answers.push([
            path.split('/')[0] ?? '',
            answer.status,
            answer.headers.get('WWW-Authenticate'),
            await answer.text(),
          ])
        }
      }
      return answers
    }
    expect((await ask(there, reader)).map(([, status]) => status)).toSatisfy((all: number[]) =>
      all.every((status) => status < 400),
    )
    for (const [status, headers] of others) {
      const answers = await ask(there, headers)
      expect(answers.map(([, each]) => each)).toEqual(answers.map(() => status))
      expect(answers).toEqual(await ask(missing, headers))
    }
  })

  test('pitfall 20: a repository may be called `token`, and is none of the token service', async () => {
    for (const name of ['token', 'token/token', 'v2/token']) {
      const admin = await as('admin', name)
      const { manifest } = await pushImage(base, name, 'token', `${face} ${name}`, admin)
      const pulled = await get(`/v2/${name}/manifests/token`)
      expect([pulled.status, await pulled.text()]).toEqual([200, manifest])
      const refused = await get(`/v2/${name}/blobs/uploads/`, { method: 'POST' })
      expect([refused.status, refused.headers.get('WWW-Authenticate')]).toEqual([
        401,
        `Bearer realm="${base}/token",service="mirrorball",scope="repository:${name}:pull,push"`,
      ])
    }
    for (const path of ['/v2/token', '/token/', '/token/tags/list', '/v2/token/'])
      expect([path, (await get(path)).status]).toEqual([path, 404])
  })

  test('pitfall 23: a 404 tells of no route and of no method', async () => {
    for (const path of [
      '/',
      '/nothing',
      '/v1/',
      '/v2/a',
      '/v2/a/b',
      '/admin',
      '/metrics',
      '/.env',
      '/token/none',
      '/api',
    ]) {
      const answer = await get(path)
      const text = await answer.text()
      expect([path, answer.status, answer.headers.get('Allow')]).toEqual([path, 404, null])
      expect(text).not.toMatch(/manifests|blobs|uploads|_catalog|referrers|token|healthz|readyz|\/v2/)
      expect(text.length).toBeLessThan(250)
    }
  })

  test('pitfall 24: no read, an administrator’s neither, has a secret in it, and none is in the bucket or the log', async () => {
    const secret = await makePersonalToken(faces.dataFolder, 'admin')
    const scopes = ['repository:private/app:pull,push,delete', 'registry:catalog:*']
    const more = { offline_token: 'true' }
    const { token, refresh_token: refresh = '' } = await tokenFrom(base, scopes, basic('admin', secret), more)
    const accounts = join(faces.dataFolder, 'accounts')
    const read = async (file: string) =>
      JSON.parse(await readFile(join(accounts, file), 'utf8')) as Record<string, unknown>
    const tokenFiles = await readdir(join(accounts, 'tokens'))
    const hashes = await Promise.all(
      tokenFiles
        .filter((file) => file.endsWith('.json'))
        .map(async (file) => (await read(`tokens/${file}`))['secretSha256']),
    )
    expect(hashes.length).toBeGreaterThan(0)
    const secrets = [
      ((await read('token-key.json'))['current'] as { d?: string } | undefined)?.d,
      (await read('bucket-key.json'))['secretAccessKey'],
      secret.split('_')[2],
      ...hashes,
      ...[token, refresh].map((each) => each.split('.')[2]),
    ].map((text) => (typeof text === 'string' ? text : ''))
    for (const each of secrets) expect(each.length).toBeGreaterThan(30)
    const expectNone = (where: string, text: string) =>
      expect([where, secrets.filter((each) => text.includes(each))]).toEqual([where, []])
    const paths = [
      '/v2/',
      '/v2/_catalog',
      '/v2/private/app/tags/list',
      '/v2/private/app/manifests/v1',
      '/healthz',
      '/readyz',
    ]
    const none = [
      '/accounts/token-key.json',
      '/mirrorball/access.json',
      '/v2/accounts/tags/list',
      '/.well-known/jwks.json',
    ]
    for (const path of [...paths, ...none]) {
      const answer = await get(path, { headers: bearer(token) })
      expectNone(path, `${JSON.stringify([...answer.headers])} ${await answer.text()}`)
    }
    const bucket = await lookAtFilesIn(join(faces.dataFolder, 'bucket'), (file) => readFile(file, 'latin1'))
    expect(Object.keys(bucket)).toContain('mirrorball/access.json')
    for (const [file, text] of Object.entries(bucket)) expectNone(file, text)
    const id = `pitfall-24-${faceNames.indexOf(face)}`
    await fetch(`${base}/token`, {
      method: 'POST',
      headers: { 'X-Request-Id': id },
      body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refresh }),
    })
    // The last line of this test, of every process that had a part in it.
    const parts = face === 'origin' ? 1 : 2
    await eventually('the log is whole', () => faces.printed().split(id).length === parts + 1)
    expectNone('the log', faces.printed())
  })

  test('pitfall 25: nobody deletes without the right to: not a tag, a manifest, a blob, or an upload', async () => {
    const admin = await as('admin', 'private/app')
    const upload = (await startUpload(base, 'private/app', admin)).pathname
    const one = '/v2/private/app'
    const paths = [
      `${one}/manifests/v1`,
      `${one}/manifests/${image.digest}`,
      `${one}/blobs/${sha256(image.layer)}`,
      upload,
    ]
    const before = await filesIn(join(faces.dataFolder, 'bucket'))
    const all = [
      [401, {}],
      [401, bearer('anonymous')],
      [401, bearer('x.y.z')],
      [401, basic('admin', await makePersonalToken(faces.dataFolder, 'admin'))],
      [401, await as('admin', 'public/app')],
      [403, await as('reader', 'private/app')],
      [403, await as('stranger', 'private/app')],
    ] as const
    for (const [status, headers] of all)
      for (const path of paths)
        expect([path, (await get(path, { method: 'DELETE', headers })).status]).toEqual([path, status])
    // Who may push, and not delete; the upload of somebody else is none of theirs.
    const writer = await as('writer', 'private/app')
    const answers = await Promise.all(paths.map((path) => get(path, { method: 'DELETE', headers: writer })))
    expect(answers.map(({ status }) => status)).toEqual([403, 403, 403, 404])
    expect(await filesIn(join(faces.dataFolder, 'bucket'))).toEqual(before)
  })
})
