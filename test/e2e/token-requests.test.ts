// Requests to the token service that are not as they should be, at every face.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { faceNames, type Faces, startFaces } from '../support/faces/faces.ts'
import { basic, makePersonalToken, settingsWithUsers, type TokenDocument } from '../support/access/signed-in.ts'

let faces: Faces
const secrets = new Map<string, string>()
const secret = (user: string) => secrets.get(user) ?? ''

beforeAll(async () => {
  faces = await startFaces(settingsWithUsers)
  for (const user of ['reader', 'admin']) secrets.set(user, await makePersonalToken(faces.dataFolder, user))
})

afterAll(() => faces.stop())

describe.each(faceNames)('the token service at the %s', (face) => {
  let base: string
  beforeEach(() => {
    base = faces.url(face)
  })

  const ask = (query: string, init: RequestInit = {}) => fetch(`${base}/token${query}`, init)
  const post = (fields: Record<string, string>, more: RequestInit = {}) =>
    ask('', { method: 'POST', body: new URLSearchParams(fields), ...more })
  const password = (user: string, given = secret(user)) => ({
    grant_type: 'password',
    username: user,
    password: given,
  })
  const payload = async (answer: Response): Promise<Record<string, unknown>> => {
    const { token } = (await answer.json()) as TokenDocument
    return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>
  }
  const basicBytes = (text: string) => ({
    Authorization: `Basic ${Buffer.from(text, 'latin1').toString('base64')}`,
  })

  test('leaves out scopes that are none, and gives of a star only what there is', async () => {
    const none = [
      'repository:Private/APP:pull',
      'repository:../private/app:pull',
      'repository:private%2Fapp:pull',
      'repository:private/app',
      'repository:private/app:pull:push',
      'repository::pull',
      'repository:**:pull',
      'registry:catalog:pull',
      'registry:other:*',
      `repository:${'a'.repeat(256)}:pull`,
      '__proto__',
      '\0',
    ]
    const query = new URLSearchParams(none.map((scope): [string, string] => ['scope', scope])).toString()
    const given = await payload(await ask(`?${query}`, { headers: basic('admin', secret('admin')) }))
    expect(given).toMatchObject({ access: [], sub: 'admin' })
    expect(given).not.toHaveProperty('catalog')
    const star = await payload(
      await ask('?scope=repository:private/app:*', { headers: basic('reader', secret('reader')) }),
    )
    expect(star).toMatchObject({ access: [{ name: 'private/app', granted: ['pull'] }] })
  })

  test('takes 100 scopes and no more, however they are asked for', async () => {
    const scopes = (count: number) => Array.from({ length: count }, (_, at) => `repository:a/b${at}:pull`)
    const query = (count: number) =>
      `?${new URLSearchParams(scopes(count).map((scope): [string, string] => ['scope', scope])).toString()}`
    const headers = basic('reader', secret('reader'))
    const answers = async (count: number) =>
      Promise.all([
        ask(query(count)),
        ask(query(count), { headers }),
        ask(`?scope=${encodeURIComponent(scopes(count).join(' '))}`, { headers }),
        post({ ...password('reader'), scope: scopes(count).join(' ') }),
      ])
    expect((await answers(100)).map(({ status }) => status)).toEqual([200, 200, 200, 200])
    expect((await answers(101)).map(({ status }) => status)).toEqual([400, 400, 400, 400])
  })

  test('takes a form of 64 KiB and no more, of that type alone, and of two kinds of grant', async () => {
    const padded = (bytes: number) => {
      const form = new URLSearchParams({ ...password('reader'), padding: '' }).toString()
      return form + 'a'.repeat(bytes - form.length)
    }
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' }
    const form = (body: string | ReadableStream, more: RequestInit = {}) =>
      ask('', { method: 'POST', body, headers, ...more })
    expect((await form(padded(64 * 1024))).status).toBe(200)
    expect((await form(padded(64 * 1024 + 1))).status).toBe(413)
    const streamed = new Blob([padded(64 * 1024 + 1)]).stream()
    expect((await form(streamed, { duplex: 'half' })).status).toBe(413)
    for (const type of ['application/json', 'text/plain', 'multipart/form-data; boundary=a', '']) {
      const answer = await form(padded(1000), { headers: { 'Content-Type': type } })
      expect([type, answer.status]).toEqual([type, 400])
    }
    for (const grant of [{}, { grant_type: '' }, { grant_type: 'authorization_code' }, { grant_type: '__proto__' }])
      expect((await post({ username: 'reader', password: secret('reader'), ...grant })).status).toBe(400)
  })

  test('says the same 401 to every proof that is not good', async () => {
    const bytes = (text: string) => ({ headers: basicBytes(text) })
    const raw = (Authorization: string) => ({ headers: { Authorization } })
    const refused: Record<string, Promise<Response>> = {
      'a wrong password': ask('', bytes('reader:wrong')),
      'a user there is not': ask('', bytes('nobody:wrong')),
      'a token of somebody else': ask('', bytes(`writer:${secret('reader')}`)),
      'a token that is longer': ask('', bytes(`reader:${secret('reader')}x`)),
      'a NUL after the user': ask('', bytes(`reader\0:${secret('reader')}`)),
      'a NUL after the password': ask('', bytes(`reader:${secret('reader')}\0`)),
      'no UTF-8': ask('', bytes(`reader\xff:${secret('reader')}`)),
      'no colon': ask('', bytes(`reader${secret('reader')}`)),
      'no user': ask('', bytes(`:${secret('reader')}`)),
      'no password': ask('', bytes('reader:')),
      'only a colon': ask('', bytes(':')),
      'a user in upper case': ask('', bytes(`READER:${secret('reader')}`)),
      'a user that is a path': ask('', bytes('../../reader:x')),
      'no base64': ask('', raw('Basic %%%')),
      'nothing after Basic': ask('', raw('Basic')),
      Bearer: ask('', raw('Bearer anonymous')),
      'an empty form': post(password('', '')),
      'a form with a wrong password': post(password('reader', 'wrong')),
      'a NUL in a form': post(password('reader\0')),
      'a refresh token that is none': post({ grant_type: 'refresh_token', refresh_token: 'none' }),
      'no refresh token': post({ grant_type: 'refresh_token' }),
    }
    for (const [what, asked] of Object.entries(refused)) {
      const answer = await asked
      const text = await answer.text()
      expect([what, answer.status, answer.headers.get('WWW-Authenticate'), text]).toEqual([
        what,
        401,
        expect.stringMatching(/^Basic /),
        await (await ask('', bytes('reader:wrong'))).text(),
      ])
      expect(answer.headers.get('Cache-Control')).toBe('no-store')
    }
  })

  test('gives tokens of this registry alone, whatever service is asked for', async () => {
    const query = '?service=other.example&account=admin&client_id=x&scope=repository:private/app:push'
    const given = await payload(await ask(query, { headers: basic('reader', secret('reader')) }))
    expect(given).toMatchObject({ iss: 'mirrorball', aud: 'mirrorball', sub: 'reader' })
    expect(given).toMatchObject({ access: [{ granted: [], refused: ['push'] }] })
  })

  test('answers HEAD as GET, without the token', async () => {
    for (const headers of [{}, basic('reader', secret('reader'))]) {
      const [whole, head] = [await ask('', { headers }), await ask('', { method: 'HEAD', headers })]
      expect([head.status, await head.text(), head.headers.get('Content-Type')]).toEqual([
        200,
        '',
        whole.headers.get('Content-Type'),
      ])
      for (const answer of [whole, head]) expect(answer.headers.get('Cache-Control')).toBe('no-store')
    }
  })
})
