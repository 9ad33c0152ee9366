// Tokens that nobody may believe, and good ones for what they are not for, at every face.

import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createFolderRecords } from '../../origin/accounts/folder-records.ts'
import { openTokens } from '../../origin/accounts/token-store.ts'
import { unhurried } from '../../shared/concurrency/unhurried.ts'
import type { Right } from '../../shared/protocol/rights.ts'
import { faceNames, type Faces, startFaces } from '../support/faces/faces.ts'
import { claimsFor, forgedTokens, ownKey, signed } from '../support/access/forged-tokens.ts'
import {
  manifestText,
  ociError,
  ociManifestType,
  pushBlob,
  pushImage,
  putManifest,
  type SmallImage,
  startUpload,
  withDigest,
} from '../support/http-client.ts'
import { sha256 } from '../support/image.ts'
import { openConnection, parseAnswers } from '../support/http/raw-http.ts'
import { filesIn } from '../support/registry-content.ts'
import {
  basic,
  bearer,
  makePersonalToken,
  settingsWithUsers,
  signIn,
  type TokenDocument,
  tokenFrom,
} from '../support/access/signed-in.ts'

let faces: Faces
let image: SmallImage
const secrets = new Map<string, string>()

beforeAll(async () => {
  faces = await startFaces(settingsWithUsers)
  const origin = faces.url('origin')
  const admin = bearer(await signIn(origin, faces.dataFolder, 'admin', ['private/app']))
  image = await pushImage(origin, 'private/app', 'v1', 'secret', admin)
  for (const user of ['reader', 'writer', 'second', 'stranger', 'admin'])
    secrets.set(user, await makePersonalToken(faces.dataFolder, user))
})

afterAll(() => faces.stop())

const secret = (user: string) => secrets.get(user) ?? ''
const storedFiles = () => filesIn(join(faces.dataFolder, 'bucket'))

describe.each(faceNames)('at the %s', (face) => {
  let base: string
  beforeEach(() => {
    base = faces.url(face)
  })

  const pull = (headers: Record<string, string>, more = '') =>
    fetch(`${base}/v2/private/app/manifests/v1${more}`, { headers })

  /** Headers of a user with a fresh token for some repositories. */
  const as = async (user: string, ...names: string[]) =>
    bearer(
      (
        await tokenFrom(
          base,
          names.map((name) => `repository:${name}:pull,push,delete`),
          basic(user, secret(user)),
        )
      ).token,
    )

  test('a forged token is no token, whatever is forged', async () => {
    const own = await ownKey(faces.dataFolder)
    // The same claims in a token that nothing is wrong with, or all of this would prove nothing.
    expect((await pull(bearer(await signed(own.key, { kid: own.id }, claimsFor('private/app'))))).status).toBe(200)
    const before = await storedFiles()
    const wrong: string[] = []
    for (const [what, token] of await forgedTokens(own, 'private/app')) {
      const read = await pull(bearer(token))
      const write = await fetch(`${base}/v2/private/app/blobs/uploads/?digest=${sha256('x')}`, {
        method: 'POST',
        body: 'x',
        headers: bearer(token),
      })
      for (const [answer, actions] of [
        [read, 'pull'],
        [write, 'pull,push'],
      ] as const) {
        const challenge = answer.headers.get('WWW-Authenticate')
        const said = `${(await ociError(answer)).code} ${challenge} ${answer.headers.get('Cache-Control')}`
        const scope = `repository:private/app:${actions}`
        const challenged = `Bearer realm="${base}/token",service="mirrorball",scope="${scope}",error="invalid_token"`
        if (said !== `UNAUTHORIZED ${challenged} no-store`) wrong.push(`${what}: ${answer.status} ${said}`)
      }
    }
    expect(wrong).toEqual([])
    expect(await storedFiles()).toEqual(before)
  })

  test('a refresh token gives access to nothing, and an access token refreshes nothing', async () => {
    const scopes = ['repository:private/app:pull']
    const { token, refresh_token: refresh = '' } = await tokenFrom(base, scopes, basic('reader', secret('reader')), {
      offline_token: 'true',
    })
    const renew = (given: string) =>
      fetch(`${base}/token`, {
        method: 'POST',
        body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: given, scope: scopes.join(' ') }),
      })
    expect((await pull(bearer(token))).status).toBe(200)
    expect((await pull(bearer(refresh))).status).toBe(401)
    expect((await renew(token)).status).toBe(401)
    const renewed = (await (await renew(refresh)).json()) as TokenDocument
    expect((await pull(bearer(renewed.token))).status).toBe(200)
  })

  test('a refresh token ends with the personal token that it was made with', async () => {
    const made = await makePersonalToken(faces.dataFolder, 'reader')
    const { refresh_token: refresh = '' } = await tokenFrom(base, [], basic('reader', made), { offline_token: 'true' })
    const renew = () =>
      fetch(`${base}/token`, {
        method: 'POST',
        body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refresh }),
      })
    expect((await renew()).status).toBe(200)
    await openTokens(createFolderRecords(join(faces.dataFolder, 'accounts'))).remove(
      made.split('_')[1] ?? '',
      unhurried,
    )
    expect((await renew()).status).toBe(401)
    expect((await fetch(`${base}/token`, { headers: basic('reader', made) })).status).toBe(401)
  })

  test('the scheme is Bearer in any case; no other one, and no other place, is looked at', async () => {
    const { Authorization } = await as('reader', 'private/app')
    const token = Authorization.slice('Bearer '.length)
    for (const good of [`bearer ${token}`, `BEARER ${token}`, `Bearer  ${token}`])
      expect([good, (await pull({ Authorization: good })).status]).toEqual([good, 200])
    const bad = [
      'Bearer',
      token,
      `Bearer ${token} ${token}`,
      `Bearer ${token},${token}`,
      `Bearer "${token}"`,
      `Token ${token}`,
      `Bearer, ${token}`,
      'Negotiate abc',
      basic('reader', secret('reader')).Authorization,
      basic('reader', token).Authorization,
      `Bearer ${secret('reader')}`,
    ]
    for (const Authorization of bad) {
      const answer = await pull({ Authorization })
      expect([Authorization, answer.status, answer.headers.get('WWW-Authenticate')]).toEqual([
        Authorization,
        401,
        expect.stringMatching(/^Bearer realm=/),
      ])
    }
    for (const query of [`?token=${token}`, `?access_token=${token}`, `?Authorization=Bearer%20${token}`])
      expect((await pull({}, query)).status).toBe(401)
    expect((await pull({ Cookie: `token=${token}`, 'X-Authorization': Authorization })).status).toBe(401)
  })

  /** Status of the answer to a GET of the manifest with these lines of headers; undefined where there was none. */
  async function rawStatus(lines: readonly string[]): Promise<number | undefined> {
    const { socket, received, closed } = await openConnection(base)
    const head = ['GET /v2/private/app/manifests/v1 HTTP/1.1', `Host: ${new URL(base).host}`, 'Connection: close']
    socket.write(`${[...head, ...lines].join('\r\n')}\r\n\r\n`)
    await closed
    return received() === '' ? undefined : parseAnswers(received())[0]?.status
  }

  test('two Authorization headers are none that counts, in either order', async () => {
    const good = `Authorization: ${(await as('reader', 'private/app')).Authorization}`
    expect(await rawStatus([good])).toBe(200)
    for (const two of [
      [good, good],
      [good, 'Authorization: Bearer anonymous'],
      ['Authorization: Bearer anonymous', good],
      ['Authorization: Basic eDp5', good],
    ])
      expect([two, await rawStatus(two)]).toEqual([two, expect.toBeOneOf([400, 401])])
  })

  test('an Authorization of 1 MB is refused, and the next client served', async () => {
    const huge = [`Authorization: Bearer ${'a'.repeat(1024 * 1024)}`]
    // A connection that is cut is a refusal too.
    expect(await rawStatus(huge)).toBeOneOf([401, 431, undefined])
    expect((await pull(await as('reader', 'private/app'))).status).toBe(200)
  })

  test('an upload is its opener’s and its repository’s alone', async () => {
    const [mine, other] = [await as('writer', 'private/app', 'public/app'), await as('second', 'private/app')]
    const session = await startUpload(base, 'private/app', mine)
    const append = (url: URL, headers: Record<string, string>) => fetch(url, { method: 'PATCH', body: 'mine', headers })
    expect((await append(session, mine)).status).toBe(202)
    const elsewhere = new URL(session.href.replace('private/app', 'public/app'))
    const before = await storedFiles()
    for (const [url, headers] of [
      [session, other],
      [session, await as('admin', 'private/app')],
      [elsewhere, mine],
    ] as const) {
      for (const method of ['GET', 'PATCH', 'PUT', 'DELETE']) {
        const body = method === 'PATCH' || method === 'PUT' ? 'theirs' : null
        const answer = await fetch(withDigest(url, sha256('minetheirs')), { method, headers, body })
        expect([method, answer.status, answer.headers.get('Location')]).toEqual([method, 404, null])
        expect(await ociError(answer)).toMatchObject({ code: 'BLOB_UPLOAD_UNKNOWN' })
      }
    }
    expect((await append(session, bearer('anonymous'))).status).toBe(401)
    expect(await storedFiles()).toEqual(before)
    const finish = () => fetch(withDigest(session, sha256('mine')), { method: 'PUT', headers: mine })
    expect((await finish()).status).toBe(201)
    // And it ends with its last request.
    expect((await finish()).status).toBe(404)
  })

  test('what may not be pulled cannot be mounted, or be named in a manifest, elsewhere', async () => {
    const stranger = await as('stranger', 'other/app', 'private/app')
    const [config, layer] = [sha256(image.config), sha256(image.layer)]
    const mount = (query: string, headers: Record<string, string>, name = 'other/app') =>
      fetch(`${base}/v2/${name}/blobs/uploads/?${query}`, { method: 'POST', headers })
    for (const query of [`mount=${layer}&from=private/app`, `mount=${layer}`, `mount=${layer}&from=other/app`])
      expect([query, (await mount(query, stranger)).status]).toEqual([query, 202])
    const named = await putManifest(base, 'other/app', 'v1', image.manifest, ociManifestType, stranger)
    expect(await ociError(named)).toMatchObject({ status: 404, code: 'MANIFEST_BLOB_UNKNOWN' })
    for (const digest of [config, layer])
      expect((await fetch(`${base}/v2/other/app/blobs/${digest}`, { headers: stranger })).status).toBe(404)
    // The right alone is not enough: the token has to be for the source too.
    expect(
      (await mount(`mount=${layer}&from=private/app`, await as('writer', 'public/app'), 'public/app')).status,
    ).toBe(202)
    const both = await as('writer', 'public/app', 'private/app')
    const own = await pushBlob(base, 'private/app', `to be mounted at the ${face}`, both)
    expect((await mount(`mount=${own}&from=private/app`, both, 'public/app')).status).toBe(201)
  })

  test('a mount that names no repository is made from those that the token is for, and may be pulled', async () => {
    const mount = async (digest: string, headers: Record<string, string>) =>
      (await fetch(`${base}/v2/public/app/blobs/uploads/?mount=${digest}`, { method: 'POST', headers })).status
    const both = await as('writer', 'public/app', 'private/app')
    const writer = await as('writer', 'public/app')
    const blob = await pushBlob(base, 'private/app', `without a name at the ${face}`, both)
    expect(await mount(blob, writer)).toBe(202)
    // A token can be for what its user may not: that it was asked for gives no right.
    const stranger = await as('stranger', 'other/app', 'private/app')
    const theirs = `${base}/v2/other/app/blobs/uploads/?mount=${blob}`
    expect((await fetch(theirs, { method: 'POST', headers: stranger })).status).toBe(202)
    expect(await mount(sha256('is nowhere'), both)).toBe(202)
    expect(await mount(blob, both)).toBe(201)
    // It is in a repository of this token now.
    expect(await mount(blob, writer)).toBe(201)
  })

  test('a manifest that refers to a private one is a referrer in its own repository alone', async () => {
    const stranger = await as('stranger', 'other/app')
    await pushBlob(base, 'other/app', '{}', stranger)
    const subject = { mediaType: ociManifestType, digest: image.digest, size: image.manifest.length }
    const manifest = manifestText('{}', [], { subject })
    expect((await putManifest(base, 'other/app', 'ref', manifest, ociManifestType, stranger)).status).toBe(201)
    const reader = await as('reader', 'private/app')
    const answer = await fetch(`${base}/v2/private/app/referrers/${image.digest}`, { headers: reader })
    expect([answer.status, await answer.json()]).toMatchObject([200, { manifests: [] }])
  })

  test('the catalog shows what is private to those alone who may pull it and asked for the catalog', async () => {
    const list = (headers: Record<string, string>) => fetch(`${base}/v2/_catalog`, { headers })
    const listed = async (headers: Record<string, string>) =>
      ((await (await list(headers)).json()) as { repositories: string[] }).repositories
    const catalogFor = async (user: string, limits?: Parameters<typeof makePersonalToken>[2]) => {
      const made = await makePersonalToken(faces.dataFolder, user, limits)
      return listed(bearer((await tokenFrom(base, ['registry:catalog:*'], basic(user, made))).token))
    }
    const admin = await as('admin', 'public/listed')
    await pushImage(base, 'public/listed', 'v1', `listed at the ${face}`, admin)
    const limited = (repositories: string, ...rights: Right[]) => catalogFor('admin', [{ repositories, rights }])
    for (const names of [await catalogFor('reader'), await limited('private/*', 'push'), await limited('**', 'pull')])
      expect(names).toEqual(expect.arrayContaining(['private/app', 'public/listed']))
    for (const names of [
      await listed(bearer('anonymous')),
      await catalogFor('stranger'),
      await limited('other/**', 'pull'),
      await limited('**', 'delete'),
    ]) {
      expect(names).toContain('public/listed')
      expect(names).not.toContain('private/app')
    }
    // Who has shown nothing, or asked for something else, is told what to ask for.
    const challenge = `Bearer realm="${base}/token",service="mirrorball",scope="registry:catalog:*"`
    for (const [headers, error] of [
      [{}, ''],
      [await as('reader', 'private/app'), ',error="insufficient_scope"'],
    ] as const) {
      const answer = await list(headers)
      expect([answer.status, answer.headers.get('WWW-Authenticate')]).toEqual([401, `${challenge}${error}`])
    }
  })
})
