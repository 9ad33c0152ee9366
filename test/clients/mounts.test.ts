// Layers that are in another repository already: clients mount them where their user may pull there, and upload them
// where not.

import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { ImageClient } from '../support/clients/image-client.ts'
import { type ImageClients, neededFor, startClients } from '../support/clients/image-clients.ts'
import { describeWith, runClient } from '../support/clients/programs.ts'
import { createCredentialFile, type CredentialFile } from '../support/clients/sign-in.ts'
import { type ClosedFaces, passwords, startClosedFaces } from '../support/faces/closed-faces.ts'
import { type Face, faceNames, slugOf } from '../support/faces/faces.ts'
import { diffIds, makeImage, type TestImage } from '../support/image.ts'
import { basic, bearer, tokenFrom } from '../support/access/signed-in.ts'
import { temporaryFolder } from '../support/stack.ts'

const clientNames = ['docker', 'skopeo', 'crane'] as const

describeWith(neededFor(clientNames), 'a layer of another repository', () => {
  let faces: ClosedFaces
  let clients: ImageClients<'docker' | 'skopeo' | 'crane'>
  let folder: string
  let credentials: CredentialFile

  beforeAll(async () => {
    faces = await startClosedFaces()
  })

  afterAll(async () => {
    await faces.stop()
    expect(faces.failures()).toEqual([])
  })

  beforeAll(async () => {
    const started = await startClients(clientNames)
    clients = started.clients
    return started.stop
  })

  beforeAll(async () => {
    const temporary = await temporaryFolder()
    folder = temporary.path
    credentials = await createCredentialFile(join(folder, 'credentials'))
    return temporary.remove
  })

  /** Statuses of the requests that opened an upload in a repository: 201 is a mount. */
  const opened = (face: Face, name: string) =>
    faces
      .log(face)
      .filter((line) => line['route'] === 'uploads' && line['method'] === 'POST' && line['name'] === name)
      .map(({ status }) => status)

  describe.each(faceNames)('at the %s', (face) => {
    const slug = slugOf(face)
    const push = async (client: ImageClient, user: keyof typeof passwords, image: TestImage, name: string) => {
      await client.login(faces.host(face), user, passwords[user])
      await client.push(image, faces.at(face, name))
    }

    beforeEach(async () => {
      for (const name of clientNames) await clients[name].signOut()
      await credentials.signOut()
    })

    test('is mounted by a copy of crane', async () => {
      const image = await makeImage(join(folder, 'copied', slug), `copied at ${face}`, [100_000])
      const [from, to] = [`team/copied/${slug}`, `open/copied/${slug}`]
      await push(clients.crane, 'alice', image, from)
      const crane = (...args: readonly string[]) =>
        runClient('crane', [...args, '--insecure'], { HOME: folder, ...credentials.environment })
      await crane('auth', 'login', faces.host(face), '--username=alice', `--password=${passwords.alice}`)

      await crane('copy', faces.at(face, from), faces.at(face, to))

      await expect.poll(() => opened(face, to)).toContain(201)
      expect(await clients.crane.pull(faces.at(face, to))).toMatchObject({ diffIds: diffIds(image) })
    })

    // Both remember where they have put a layer before, whoever they were then.
    test.each(['docker', 'skopeo'] as const)(
      'is mounted by %s where its user may pull it, else uploaded',
      async (by) => {
        const image = await makeImage(join(folder, 'pushed', slug, by), `pushed by ${by} at ${face}`, [100_000])
        const name = (repository: string) => `${repository}/${slug}/${by}`
        await push(clients[by], 'alice', image, name('team/secret'))

        await push(clients[by], 'bob', image, name('open/by-bob'))
        await push(clients[by], 'alice', image, name('team/again'))

        await expect.poll(() => opened(face, name('team/again'))).toContain(201)
        await expect.poll(() => opened(face, name('open/by-bob'))).toContain(202)
        expect(opened(face, name('open/by-bob'))).not.toContain(201)
        expect(await clients[by].pull(faces.at(face, name('open/by-bob')))).toMatchObject({ diffIds: diffIds(image) })
      },
    )

    test('is uploaded where the token has no right to pull it, however it is asked for', async () => {
      const image = await makeImage(join(folder, 'raw', slug), `raw at ${face}`, [100_000])
      await push(clients.crane, 'alice', image, `team/raw/${slug}`)
      const [layer] = diffIds(image)
      const mount = async (user: keyof typeof passwords, to: string) => {
        const scopes = [`repository:${to}:pull,push`, `repository:team/raw/${slug}:pull`]
        const { token } = await tokenFrom(faces.url(face), scopes, basic(user, passwords[user]))
        const query = new URLSearchParams({ mount: layer ?? '', from: `team/raw/${slug}` })
        const response = await fetch(`${faces.url(face)}/v2/${to}/blobs/uploads/?${query.toString()}`, {
          method: 'POST',
          headers: bearer(token),
        })
        return response.status
      }
      expect(await mount('bob', `open/raw-by-bob/${slug}`)).toBe(202)
      expect(await mount('alice', `open/raw-by-alice/${slug}`)).toBe(201)
    })
  })
})
