// Clients that move images sign in, push and pull at every face of a registry with users, and say what is wrong in their
// own words where they may not.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { ImageClient } from '../support/clients/image-client.ts'
import { type ClosedRegistry, startClosedRegistry } from '../support/clients/closed-registry.ts'
import { imageClientNames, neededFor } from '../support/clients/image-clients.ts'
import { describeWith } from '../support/clients/programs.ts'
import { says } from '../support/clients/refusals.ts'
import { passwords } from '../support/faces/closed-faces.ts'
import { faceNames, slugOf } from '../support/faces/faces.ts'
import { diffIds } from '../support/image.ts'

describeWith(neededFor(imageClientNames), 'at a registry with users', () => {
  let registry: ClosedRegistry

  beforeAll(async () => {
    registry = await startClosedRegistry()
  })

  afterAll(async () => {
    await registry.stop()
    expect(registry.failures()).toEqual([])
  })

  describe.each(faceNames)('the %s:', (face) => {
    const at = (name: string) => registry.at(face, name)
    const login = (client: ImageClient, user: keyof typeof passwords) =>
      client.login(registry.host(face), user, passwords[user])

    describe.each(imageClientNames)('%s', (name) => {
      const slug = `${slugOf(face)}/${name}`
      let client: ImageClient

      beforeEach(async () => {
        client = registry.clients[name]
        await client.signOut()
      })

      test('pulls what is public without signing in', async () => {
        expect(await client.pull(at('open/image'))).toMatchObject({ diffIds: diffIds(registry.image) })
      })

      test('signs in, pushes and pulls what is private', async () => {
        await login(client, 'alice')

        await client.push(registry.image, at(`team/${slug}`))

        expect(await client.pull(at(`team/${slug}`))).toMatchObject({ diffIds: diffIds(registry.image) })
      })

      test('is told that a password is wrong', async () => {
        const attempt = async () => {
          await client.login(registry.host(face), 'alice', passwords.bob)
          // Some ask only now.
          await client.pull(at('team/image'))
        }
        await expect(attempt()).rejects.toThrow(says[name].wrongPassword)
      })

      test('is told to sign in for what is private, and for a push', async () => {
        await expect(client.pull(at('team/image'))).rejects.toThrow(says[name].unauthorized)
        await expect(client.push(registry.image, at(`open/${slug}`))).rejects.toThrow(says[name].unauthorized)
      })

      test('is denied what its user may not', async () => {
        await login(client, 'bob')
        const before = registry.log(face).length
        const refusals = () =>
          registry
            .log(face)
            .slice(before)
            .filter((line) => line['name'] === 'team/image')
            .map(({ status }) => status)

        await expect(client.pull(at('team/image'))).rejects.toThrow(says[name].denied)
        // Some say the same of a 401, but not before they have asked for another token in vain.
        await expect.poll(refusals).toContain(403)
        await expect(client.push(registry.image, at(`team/by-bob/${slug}`))).rejects.toThrow(says[name].denied)
        await client.push(registry.image, at(`open/by-bob/${slug}`))
      })
    })
  })
})
