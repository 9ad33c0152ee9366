// Tokens instead of passwords: access and refresh tokens that clients are given, and personal access tokens.

import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { parseRepositoryName } from '../../shared/protocol/names.ts'
import { startDockerd } from '../support/clients/dockerd.ts'
import type { ImageClient } from '../support/clients/image-client.ts'
import { type ClosedRegistry, startClosedRegistry } from '../support/clients/closed-registry.ts'
import { imageClientNames, neededFor } from '../support/clients/image-clients.ts'
import { describeWith } from '../support/clients/programs.ts'
import { says } from '../support/clients/refusals.ts'
import { passwords } from '../support/faces/closed-faces.ts'
import { faceNames } from '../support/faces/faces.ts'
import { ociError } from '../support/http-client.ts'
import { diffIds } from '../support/image.ts'
import { basic, bearer, tokenFrom } from '../support/access/signed-in.ts'
import { linesOf, runVerb } from '../support/verbs.ts'

const edges = ['edge on Node', 'edge in workerd'] as const
/** Those that can be given an access token; the others ask for one of their own. */
const holders = ['skopeo', 'crane', 'docker', 'oras'] as const
const hourMs = 3600_000
const hundredDaysMs = 100 * 24 * hourMs

describeWith(neededFor(imageClientNames), 'tokens', () => {
  let registry: ClosedRegistry

  beforeAll(async () => {
    registry = await startClosedRegistry()
  })

  afterAll(async () => {
    await registry.stop()
    expect(registry.failures()).toEqual([])
  })

  beforeEach(async () => {
    for (const name of imageClientNames) await registry.clients[name].signOut()
  })

  /** As the origin gave it to alice some time ago. */
  const accessToken = async (agoMs: number) => {
    const name = parseRepositoryName('team/image')
    if (name === undefined) throw new Error('a name is none')
    const signer = await registry.signerAt(Date.now() - agoMs)
    const access = [{ name, granted: ['pull'], refused: [] }] as const
    return signer.access({ user: 'alice', access, catalog: undefined }, randomUUID())
  }

  describe.each(faceNames)('at the %s', (face) => {
    test('an access token that is expired is a 401 that says so', async () => {
      const pull = (token: string) =>
        fetch(`${registry.url(face)}/v2/team/image/manifests/latest`, { headers: bearer(token) })

      expect(await pull(await accessToken(0))).toHaveProperty('status', 200)
      const refused = await pull(await accessToken(hourMs))

      expect(refused.headers.get('WWW-Authenticate')).toMatch(/^Bearer realm="[^"]+\/token",.*error="invalid_token"$/)
      expect(await ociError(refused)).toMatchObject({ status: 401, code: 'UNAUTHORIZED', detail: /expired/ })
    })

    test.each(holders)('%s pulls with an access token until it is expired', async (name) => {
      const pull = async (text: string) => {
        await registry.clients[name].useToken(registry.host(face), { kind: 'access', text })
        return registry.clients[name].pull(registry.at(face, 'team/image'))
      }

      expect(await pull(await accessToken(0))).toMatchObject({ diffIds: diffIds(registry.image) })

      await expect(pull(await accessToken(hourMs))).rejects.toThrow(says[name].unauthorized)
    })

    test.each(imageClientNames)('%s pulls with a refresh token until it is expired', async (name) => {
      const user = 'alice'
      const { refreshToken, credential } = await signInForGood(registry.url(face), user, passwords.alice)
      const pull = async (text: string) => {
        await registry.clients[name].useToken(registry.host(face), { kind: 'refresh', text })
        return registry.clients[name].pull(registry.at(face, 'team/image'))
      }

      expect(await pull(refreshToken)).toMatchObject({ diffIds: diffIds(registry.image) })

      const signer = await registry.signerAt(Date.now() - hundredDaysMs)
      const expired = await signer.refresh({ user, credential }, randomUUID())
      await expect(pull(expired)).rejects.toThrow(says[name].wrongPassword)
    })
  })

  describe.each(edges)('at the %s', (face) => {
    test.each(imageClientNames)(
      '%s does with a personal access token what it is for, until it is revoked',
      async (name) => {
        const client: ImageClient = registry.clients[name]
        const create = runVerb(registry.dataFolder, 'token', 'create', '--user', 'ci', '--limit', 'team/**:pull')
        const [token = ''] = await linesOf(create)
        const signInAndPull = async () => {
          await client.login(registry.host(face), 'ci', token)
          return client.pull(registry.at(face, 'team/image'))
        }

        expect(await signInAndPull()).toMatchObject({ diffIds: diffIds(registry.image) })
        await expect(client.push(registry.image, registry.at(face, `team/by-ci/${name}`))).rejects.toThrow(
          says[name].denied,
        )

        await linesOf(runVerb(registry.dataFolder, 'token', 'revoke', token))
        // With what it remembers, too: docker has kept no password but a refresh token.
        await expect(client.pull(registry.at(face, 'team/image'))).rejects.toThrow(says[name].wrongPassword)
        await client.signOut()
        await expect(signInAndPull()).rejects.toThrow(says[name].wrongPassword)
      },
    )
  })

  test('docker keeps a refresh token instead of the password, and nothing after it signs out', async () => {
    const { docker, credentials, stop } = await startDockerd()
    try {
      const host = registry.host('edge in workerd')
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
  const answer = await tokenFrom(url, [], basic(user, password), { service: 'mirrorball', offline_token: 'true' })
  const { refresh_token: refreshToken = '' } = answer
  const [, claims = ''] = refreshToken.split('.')
  const { credential } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { credential: string }
  return { refreshToken, credential }
}
