// Pitfalls of working together with clients, by their numbers, where users sign in.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { faceNames } from '../support/faces/faces.ts'
import {
  locationOf,
  manifestText,
  ociManifestType,
  pushBlob,
  putManifest,
  type SmallImage,
  withDigest,
} from '../support/http-client.ts'
import { sha256 } from '../support/image.ts'
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

  /** The answers to a signed-in push that carry a Location. */
  async function locations(): Promise<string[]> {
    const writer = await as('writer', 'public/app')
    const headers = { ...writer, 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'registry.example' }
    const uploads = '/v2/public/app/blobs/uploads/'
    const start = await get(uploads, { method: 'POST', headers })
    const url = locationOf(start, base)
    const patch = await fetch(url, { method: 'PATCH', body: '{}', headers })
    const put = await fetch(withDigest(url, sha256('{}')), { method: 'PUT', headers })
    const mount = await get(`${uploads}?mount=${sha256('{}')}&from=public/app`, { method: 'POST', headers })
    const pushed = await putManifest(base, 'public/app', 'v1', manifestText('{}', []), ociManifestType, headers)
    const answers = [start, patch, put, mount, pushed]
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 201, 201, 201])
    return answers.map((answer) => answer.headers.get('Location') ?? '')
  }

  test('pitfall 48: a Location in a signed-in push is relative, whatever a stranger says of host and protocol', async () => {
    for (const location of await locations()) expect(location).toMatch(/^\/v2\//)
  })

  test('pitfall 49: a Location in a signed-in push lies under /v2/ and the repository’s name', async () => {
    for (const location of await locations()) expect(location).toMatch(/^\/v2\/public\/app\/(blobs|manifests)\//)
  })

  test('pitfall 50: a Location in a signed-in push has no query, so no token in it to lose or to log', async () => {
    for (const location of await locations()) expect(location).toMatch(/^[a-z0-9:/-]+$/i)
  })

  test('pitfall 51: a challenge is one header with one scope parameter, which names one repository', async () => {
    const asked: readonly [string, string, string | undefined][] = [
      ['GET', '/v2/', undefined],
      ['GET', '/v2/private/app/manifests/v1', 'repository:private/app:pull'],
      ['GET', '/v2/private/app/tags/list', 'repository:private/app:pull'],
      ['DELETE', '/v2/private/app/manifests/v1', 'repository:private/app:delete'],
      ['POST', '/v2/public/app/blobs/uploads/', 'repository:public/app:pull,push'],
      [
        'POST',
        `/v2/public/app/blobs/uploads/?mount=${sha256(image.layer)}&from=private/app`,
        'repository:public/app:pull,push',
      ],
    ]
    for (const [method, path, scope] of asked) {
      const answer = await get(path, { method })
      const parts = [
        `realm="${base}/token"`,
        'service="mirrorball"',
        ...(scope === undefined ? [] : [`scope="${scope}"`]),
      ]
      expect([path, answer.status, answer.headers.get('WWW-Authenticate')]).toEqual([
        path,
        401,
        `Bearer ${parts.join(',')}`,
      ])
    }
    // What a challenge asks for is enough.
    const secret = await makePersonalToken(faces.dataFolder, 'writer')
    const { token } = await tokenFrom(base, ['repository:public/app:pull,push'], basic('writer', secret))
    await pushBlob(base, 'public/app', 'as the challenge says', bearer(token))
  })

  test('pitfall 52: a presigned URL has no token in it, needs none, bears one that is sent, and is good for what it says alone', async () => {
    const reader = await as('reader', 'private/app')
    const answer = await get(`/v2/private/app/blobs/${sha256(image.layer)}`, { headers: reader })
    if (face === 'origin') {
      expect([answer.status, await answer.text()]).toEqual([200, image.layer])
      return
    }
    const location = answer.headers.get('Location') ?? ''
    const url = new URL(location)
    expect([answer.status, url.host === new URL(base).host]).toEqual([307, false])
    expect(location).not.toContain(reader.Authorization.slice(-40))
    expect(Number(url.searchParams.get('X-Amz-Expires'))).toBeLessThanOrEqual(3600)
    for (const headers of [{}, reader]) {
      const blob = await fetch(url, { headers })
      expect([blob.status, await blob.text()]).toEqual([200, image.layer])
      expect(blob.headers.get('Cache-Control')).toMatch(/^private, /)
    }
    const other = new URL(url)
    other.pathname = url.pathname.replace(sha256(image.layer).slice(7), sha256(image.config).slice(7))
    const unsigned = new URL(url.pathname, url)
    const longer = new URL(url)
    longer.searchParams.set('X-Amz-Expires', '7200')
    for (const wrong of [other, unsigned, longer])
      expect([wrong.href, (await fetch(wrong, { headers: reader })).status]).toEqual([wrong.href, 403])
  })
})
