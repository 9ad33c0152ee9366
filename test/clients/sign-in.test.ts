// Clients that move images sign in, push and pull at every face of a registry with users, and say what is wrong in their
// own words where they may not.

import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
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
import { faceNames } from '../support/faces.ts'
import { makeImage, type TestImage } from '../support/image.ts'
import { temporaryFolder } from '../support/stack.ts'

describeWith(neededFor(imageClientNames), 'at a registry with users', () => {
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
    image = await makeImage(join(folder.path, 'image'), 'of the team', [200_000, 1])
    await clients.skopeo.login(faces.host('origin'), 'alice', passwords.alice)
    for (const name of ['open/image', 'team/image'])
      await clients.skopeo.push(image, referenceAt(faces.url('origin'), `${name}:latest`))
    return folder.remove
  })

  describe.each(faceNames)('the %s:', (face) => {
    const at = (name: string) => referenceAt(faces.url(face), `${name}:latest`)
    const login = (client: ImageClient, user: keyof typeof passwords) =>
      client.login(faces.host(face), user, passwords[user])
    const diffIds = () => image.layers.map(({ digest }) => digest)

    describe.each(imageClientNames)('%s', (name) => {
      const slug = `${face.replaceAll(' ', '-').toLowerCase()}/${name}`
      let client: ImageClient

      beforeEach(async () => {
        client = clients[name]
        await client.signOut()
      })

      test('pulls what is public without signing in', async () => {
        expect(await client.pull(at('open/image'))).toMatchObject({ diffIds: diffIds() })
      })

      test('signs in, pushes and pulls what is private', async () => {
        await login(client, 'alice')

        await client.push(image, at(`team/${slug}`))

        expect(await client.pull(at(`team/${slug}`))).toMatchObject({ diffIds: diffIds() })
      })

      test('is told that a password is wrong', async () => {
        const attempt = async () => {
          await client.login(faces.host(face), 'alice', passwords.bob)
          // Some ask only now.
          await client.pull(at('team/image'))
        }
        await expect(attempt()).rejects.toThrow(says[name].wrongPassword)
      })

      test('is told to sign in for what is private, and for a push', async () => {
        await expect(client.pull(at('team/image'))).rejects.toThrow(says[name].unauthorized)
        await expect(client.push(image, at(`open/${slug}`))).rejects.toThrow(says[name].unauthorized)
      })

      test('is denied what its user may not', async () => {
        await login(client, 'bob')
        const before = faces.log(face).length
        const refusals = () =>
          faces
            .log(face)
            .slice(before)
            .filter((line) => line['name'] === 'team/image')
            .map(({ status }) => status)

        await expect(client.pull(at('team/image'))).rejects.toThrow(says[name].denied)
        // Some say the same of a 401, but not before they have asked for another token in vain.
        await expect.poll(refusals).toContain(403)
        await expect(client.push(image, at(`team/by-bob/${slug}`))).rejects.toThrow(says[name].denied)
        await client.push(image, at(`open/by-bob/${slug}`))
      })
    })
  })
})
