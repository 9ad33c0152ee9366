// While the origin is away, edges go on: what is public is pulled without signing in, and what is private with a token
// that was issued before.

import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type ClosedRegistry, startClosedRegistry } from '../support/clients/closed-registry.ts'
import { imageClientNames, neededFor } from '../support/clients/image-clients.ts'
import { describeWith } from '../support/clients/programs.ts'
import { says } from '../support/clients/refusals.ts'
import { passwords } from '../support/faces/closed-faces.ts'
import { diffIds } from '../support/image.ts'
import { basic, tokenFrom } from '../support/access/signed-in.ts'

const edges = ['edge on Node', 'edge in workerd'] as const
/** Those that can be given an access token; the others ask for one of their own. */
const holders = ['skopeo', 'crane', 'docker', 'oras'] as const

describeWith(neededFor(imageClientNames), 'without the origin', () => {
  let registry: ClosedRegistry
  let tokenFromBefore: string

  beforeAll(async () => {
    registry = await startClosedRegistry()
    const scopes = ['repository:team/image:pull']
    tokenFromBefore = (await tokenFrom(registry.url('origin'), scopes, basic('alice', passwords.alice))).token
    // No edge was asked for anything yet.
    await registry.end('origin')
    return () => registry.stop()
  })

  beforeEach(async () => {
    for (const name of imageClientNames) await registry.clients[name].signOut()
  })

  describe.each(edges)('at the %s', (face) => {
    test.each(imageClientNames)('%s pulls what is public', async (name) => {
      expect(await registry.clients[name].pull(registry.at(face, 'open/image'))).toMatchObject({
        diffIds: diffIds(registry.image),
      })
    })

    test.each(imageClientNames)('%s is told to sign in for what is private', async (name) => {
      await expect(registry.clients[name].pull(registry.at(face, 'team/image'))).rejects.toThrow(
        says[name].unauthorized,
      )
    })

    test.each(holders)('%s pulls what is private with a token from before', async (name) => {
      await registry.clients[name].useToken(registry.host(face), { kind: 'access', text: tokenFromBefore })
      expect(await registry.clients[name].pull(registry.at(face, 'team/image'))).toMatchObject({
        diffIds: diffIds(registry.image),
      })
    })

    test.each(imageClientNames)('%s is told soon that it cannot sign in for now', async (name) => {
      const attempt = async () => {
        await registry.clients[name].login(registry.host(face), 'alice', passwords.alice)
        // Some ask only now.
        await registry.clients[name].pull(registry.at(face, 'team/image'))
      }
      // regctl says so of every failure of a token service.
      await expect(attempt()).rejects.toThrow(name === 'regctl' ? says.regctl.unauthorized : /503|unavailable/i)
    })
  })
})
