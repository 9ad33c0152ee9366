// What clients know of where a layer came from, they mount it from: after a pull or a push, and when they copy from one
// repository to another. Where their user may not pull there, they upload it.

import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Containerd, startContainerd } from '../support/clients/containerd.ts'
import { type ImageClients, neededFor, startClients } from '../support/clients/image-clients.ts'
import { regctlPlainHttp, startCrane } from '../support/clients/layout-clients.ts'
import { describeWith, runClient } from '../support/clients/programs.ts'
import { createCredentialFile, type CredentialFile } from '../support/clients/sign-in.ts'
import { type ClosedFaces, passwords, startClosedFaces } from '../support/faces/closed-faces.ts'
import { type Face, faceNames, slugOf } from '../support/faces/faces.ts'
import { makeImage, type TestImage } from '../support/image.ts'
import { temporaryFolder } from '../support/stack.ts'

/** Both remember where they have put a layer before, whoever they were then. */
const pushers = ['podman', 'buildah'] as const

const copies = {
  regctl: (from: string, to: string) => ['image', 'copy', ...regctlPlainHttp(from), from, to],
  oras: (from: string, to: string) => ['copy', '--from-plain-http', '--to-plain-http', from, to],
} as const

const copiers = Object.keys(copies) as readonly (keyof typeof copies)[]

describeWith([...neededFor([...pushers, 'crane', 'ctr']), ...copiers], 'a layer of a private repository', () => {
  let faces: ClosedFaces
  let clients: ImageClients<(typeof pushers)[number]>
  let crane: Awaited<ReturnType<typeof startCrane>>
  let containerd: Containerd
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
    const started = await startClients(pushers)
    clients = started.clients
    return started.stop
  })

  beforeAll(async () => {
    containerd = await startContainerd()
    return containerd.stop
  })

  beforeAll(async () => {
    const temporary = await temporaryFolder()
    folder = temporary.path
    crane = await startCrane()
    credentials = await createCredentialFile(folder)
    await crane.login(faces.host('origin'), 'alice', passwords.alice)
    return async () => {
      await crane.stop()
      await temporary.remove()
    }
  })

  /** Statuses of the requests that opened an upload in a repository, once signed in: 201 is a mount. */
  const opened = (face: Face, name: string) =>
    faces
      .log(face)
      .filter((line) => line['route'] === 'uploads' && line['method'] === 'POST' && line['name'] === name)
      .map(({ status }) => status)
      .filter((status) => status !== 401)

  describe.each(faceNames)('at the %s', (face) => {
    const slug = slugOf(face)
    const at = (name: string) => faces.at(face, name)
    const newImage = (what: string) => makeImage(join(folder, slug, what), `${what} at ${face}`, [100_000])

    /** Pushed by another program than the one that is looked at. */
    const publish = async (name: string, image: TestImage) => crane.push(image, faces.at('origin', name))
    const expectUploaded = async (name: string) => {
      await expect.poll(() => opened(face, name)).toContain(202)
      expect(opened(face, name)).not.toContain(201)
    }

    beforeEach(async () => {
      for (const name of pushers) await clients[name].signOut()
      await credentials.signOut()
    })

    test.each(pushers)('is mounted by %s, and uploaded for a user who may not pull it', async (by) => {
      const image = await newImage(by)
      const push = async (user: keyof typeof passwords, repository: string) => {
        await clients[by].login(faces.host(face), user, passwords[user])
        await clients[by].push(image, at(`${repository}/${slug}/${by}`))
      }
      await push('alice', 'team/secret')

      await push('bob', 'open/by-bob')
      await push('alice', 'team/again')

      await expect.poll(() => opened(face, `team/again/${slug}/${by}`)).toContain(201)
      await expectUploaded(`open/by-bob/${slug}/${by}`)
    })

    test.each(copiers)('is mounted by a copy of %s', async (by) => {
      const image = await newImage(by)
      const [from, to] = [`team/copied/${slug}/${by}`, `open/copied/${slug}/${by}`]
      await publish(from, image)
      const environment = { HOME: folder, ...credentials.environment }
      const login = ['auth', 'login', faces.host(face), '--username=alice', `--password=${passwords.alice}`]
      await runClient('crane', login, environment)

      await runClient(by, copies[by](at(from), at(to)), environment)

      // The layer and the configuration.
      await expect.poll(() => opened(face, to)).toEqual([201, 201])
    })

    test('is mounted by containerd after a pull, and uploaded for a user who may not pull it', async () => {
      const image = await newImage('containerd')
      const [from, again, byBob] = ['team/pulled', 'team/again', 'open/by-bob'].map((name) => `${name}/${slug}/ctr`)
      if (from === undefined || again === undefined || byBob === undefined) throw new Error('a name is missing')
      await publish(from, image)
      const push = async (user: keyof typeof passwords, name: string) => {
        await containerd.ctr('images', 'tag', at(from), at(name))
        await containerd.ctr('images', 'push', '--plain-http', '--user', `${user}:${passwords[user]}`, at(name))
      }
      const asAlice = ['--user', `alice:${passwords.alice}`]
      await containerd.ctr('images', 'pull', '--plain-http', '--snapshotter=native', ...asAlice, at(from))

      await push('bob', byBob)
      await push('alice', again)

      await expect.poll(() => opened(face, again)).toContain(201)
      await expectUploaded(byBob)
    })
  })
})
