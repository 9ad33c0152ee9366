// Tokens instead of passwords: access and refresh tokens that clients are given, and personal access tokens.

import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { parseRepositoryName } from '../../shared/protocol/names.ts'
import { startDockerd } from '../support/clients/dockerd.ts'
import { type ImageClient, referenceAt } from '../support/clients/image-client.ts'
import {
  type ImageClientName,
  imageClientNames,
  type ImageClients,
  neededFor,
  startClients,
} from '../support/clients/image-clients.ts'
import { describeWith } from '../support/clients/programs.ts'
import { says } from '../support/clients/refusals.ts'
import { type ClosedFaces, passwords, startClosedFaces } from '../support/closed-faces.ts'
import { type Face, faceNames } from '../support/faces.ts'
import { ociError } from '../support/http-client.ts'
import { makeImage, type TestImage } from '../support/image.ts'
import { temporaryFolder } from '../support/stack.ts'
import { linesOf, runVerb } from '../support/verbs.ts'

const edges = ['edge on Node', 'edge in workerd'] as const
/** Those that can be given an access token; the others ask for one of their own. */
const holders = ['skopeo', 'crane', 'docker', 'oras'] as const
const hourMs = 3600_000
const hundredDaysMs = 100 * 24 * hourMs

describeWith(neededFor(imageClientNames), 'tokens', () => {
  let faces: ClosedFaces
  let clients: ImageClients<ImageClientName>
  let image: TestImage

  beforeAll(async () => {
    faces = await startClosedFaces()
  })

  afterAll(async () => {
    await faces.stop()
    expect(faces.failures()).toEqual([])
  })

  beforeAll(async () => {
    const started = await startClients(imageClientNames)
    clients = started.clients
    return started.stop
  })

  beforeAll(async () => {
    const folder = await temporaryFolder()
    image = await makeImage(join(folder.path, 'image'), 'behind a token', [100_000])
    await clients.skopeo.login(faces.host('origin'), 'alice', passwords.alice)
    await clients.skopeo.push(image, referenceAt(faces.url('origin'), 'team/image:latest'))
    return folder.remove
  })

  beforeEach(async () => {
    for (const name of imageClientNames) await clients[name].signOut()
  })

  const at = (face: Face, name: string) => referenceAt(faces.url(face), `${name}:latest`)
  const diffIds = () => image.layers.map(({ digest }) => digest)

  /** As the origin gave it to alice some time ago. */
  const accessToken = async (agoMs: number) => {
    const name = parseRepositoryName('team/image')
    if (name === undefined) throw new Error('a name is none')
    const signer = await faces.signerAt(Date.now() - agoMs)
    const access = [{ name, granted: ['pull'], refused: [] }] as const
    return signer.access({ user: 'alice', access, catalog: undefined }, randomUUID())
  }

  describe.each(faceNames)('at the %s', (face) => {
    test('an access token that is expired is a 401 that says so', async () => {
      const pull = (token: string) =>
        fetch(`${faces.url(face)}/v2/team/image/manifests/latest`, { headers: { Authorization: `Bearer ${token}` } })

      expect(await pull(await accessToken(0))).toHaveProperty('status', 200)
      const refused = await pull(await accessToken(hourMs))

      expect(refused.headers.get('WWW-Authenticate')).toMatch(/^Bearer realm="[^"]+\/token",.*error="invalid_token"$/)
      expect(await ociError(refused)).toMatchObject({ status: 401, code: 'UNAUTHORIZED', detail: /expired/ })
    })

    test.each(holders)('%s pulls with an access token until it is expired', async (name) => {
      const pull = async (text: string) => {
        await clients[name].useToken(faces.host(face), { kind: 'access', text })
        return clients[name].pull(at(face, 'team/image'))
      }

      expect(await pull(await accessToken(0))).toMatchObject({ diffIds: diffIds() })

      await expect(pull(await accessToken(hourMs))).rejects.toThrow(says[name].unauthorized)
    })

    test.each(imageClientNames)('%s pulls with a refresh token until it is expired', async (name) => {
      const user = 'alice'
      const { refreshToken, credential } = await signInForGood(faces.url(face), user, passwords.alice)
      const pull = async (text: string) => {
        await clients[name].useToken(faces.host(face), { kind: 'refresh', text })
        return clients[name].pull(at(face, 'team/image'))
      }

      expect(await pull(refreshToken)).toMatchObject({ diffIds: diffIds() })

      const signer = await faces.signerAt(Date.now() - hundredDaysMs)
      const expired = await signer.refresh({ user, credential }, randomUUID())
      await expect(pull(expired)).rejects.toThrow(says[name].wrongPassword)
    })
  })

  describe.each(edges)('at the %s', (face) => {
    test.each(imageClientNames)(
      '%s does with a personal access token what it is for, until it is revoked',
      async (name) => {
        const client: ImageClient = clients[name]
        const create = runVerb(faces.dataFolder, 'token', 'create', '--user', 'ci', '--limit', 'team/**:pull')
        const [token = ''] = await linesOf(create)
        const signInAndPull = async () => {
          await client.login(faces.host(face), 'ci', token)
          return client.pull(at(face, 'team/image'))
        }

        expect(await signInAndPull()).toMatchObject({ diffIds: diffIds() })
        await expect(client.push(image, at(face, `team/by-ci/${name}`))).rejects.toThrow(says[name].denied)

        await linesOf(runVerb(faces.dataFolder, 'token', 'revoke', token))
        // With what it remembers, too: docker has kept no password but a refresh token.
        await expect(client.pull(at(face, 'team/image'))).rejects.toThrow(says[name].wrongPassword)
        await client.signOut()
        await expect(signInAndPull()).rejects.toThrow(says[name].wrongPassword)
      },
    )
  })

  test('docker keeps a refresh token instead of the password, and nothing after it signs out', async () => {
    const { docker, credentials, stop } = await startDockerd()
    try {
      const host = faces.host('edge in workerd')
      const kept = async () =>
        (JSON.parse(await readFile(credentials.path, 'utf8')) as { auths: Record<string, Record<string, string>> })
          .auths
      await docker('login', '--username=alice', `--password=${passwords.alice}`, host)
      const { auth = '', ...rest } = (await kept())[host] ?? {}
      expect(Buffer.from(auth, 'base64').toString()).toBe('alice:')
      expect(rest).toEqual({ identitytoken: expect.stringMatching(/^ey[^.]+\.[^.]+\.[^.]+$/) })
      await docker('pull', '--quiet', `${host}/team/image:latest`)

      await docker('logout', host)

      expect(await kept()).toEqual({})
      await docker('image', 'prune', '--all', '--force')
      await expect(docker('pull', '--quiet', `${host}/team/image:latest`)).rejects.toThrow(says.docker.unauthorized)
    } finally {
      await stop()
    }
  })
})

/** As docker does it. */
async function signInForGood(url: string, user: string, password: string) {
  const response = await fetch(`${url}/token?service=mirrorball&offline_token=true`, {
    headers: { Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` },
  })
  const { refresh_token: refreshToken } = (await response.json()) as { refresh_token: string }
  const [, claims = ''] = refreshToken.split('.')
  const { credential } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { credential: string }
  return { refreshToken, credential }
}
