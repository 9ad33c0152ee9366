// A token that ends in the middle of a push: when all blobs are there, and the manifest is not. Each client knows from what
// it was told of the token when to ask for another one. That it ends before, as where the key is given up as lost, only some
// learn from a 401; the others say that they are not authorized, and the next push finds the blobs there.

import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  type ImageClientName,
  imageClientNames,
  type ImageClients,
  neededFor,
  startClients,
} from '../support/clients/image-clients.ts'
import { describeWith } from '../support/clients/programs.ts'
import { type ClosedFaces, passwords, startClosedFaces } from '../support/faces/closed-faces.ts'
import { type Answered, type EndingTokens, startEndingTokens } from '../support/ending-tokens.ts'
import { faceNames, slugOf } from '../support/faces/faces.ts'
import { diffIds, makeImage, type TestImage } from '../support/image.ts'
import { temporaryFolder } from '../support/stack.ts'

/** What a client does where it was told that its token is good for longer: it goes on with another one, or says this. */
const early: Readonly<Record<ImageClientName, 'goes on' | RegExp>> = {
  skopeo: /unauthorized: authentication required/,
  crane: 'goes on',
  docker: /unauthorized: authentication required/,
  podman: /unauthorized: authentication required/,
  buildah: /unauthorized: authentication required/,
  ctr: 'goes on',
  regctl: /unauthorized/,
  oras: 'goes on',
}

/** regctl takes a token that seems to be over when it is given for one that was given then, and goes by that. */
const told = imageClientNames.filter((name) => name !== 'regctl')

const hourMs = 3600_000

describeWith(neededFor(imageClientNames), 'a token that ends in the middle of a push', () => {
  let faces: ClosedFaces
  let clients: ImageClients<ImageClientName>
  let folder: string

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
    const temporary = await temporaryFolder()
    folder = temporary.path
    return temporary.remove
  })

  describe.each(faceNames)('at the %s', (face) => {
    const slug = slugOf(face)
    let tokens: EndingTokens

    beforeAll(async () => {
      tokens = await startEndingTokens(faces.url(face), await faces.signerAt(Date.now() - hourMs))
      return tokens.stop
    })

    beforeEach(async () => {
      for (const name of imageClientNames) await clients[name].signOut()
    })

    /** True of the answer to the last of an image's blobs, its layers and its configuration. */
    const lastBlobOf = (image: TestImage) => {
      let missing = image.layers.length + 1
      return ({ method, path, status }: Answered) => {
        if (method === 'PUT' && path.includes('/blobs/uploads/') && status === 201) missing -= 1
        return missing === 0
      }
    }

    const pushTo = async (name: ImageClientName, repository: string, isTold: boolean) => {
      const image = await makeImage(join(folder, repository), repository.replaceAll('/', ' '), [100_000])
      const reference = `${tokens.host}/${repository}:latest`
      const haveEnded = tokens.endAfter(lastBlobOf(image), isTold)
      await clients[name].login(tokens.host, 'alice', passwords.alice)
      const push = () => clients[name].push(image, reference)
      const pulled = async () => (await clients[name].pull(reference)).diffIds
      return { push, pulled, haveEnded, pushed: diffIds(image) }
    }

    test.each(told)('at the time that %s was told is followed by another', async (name) => {
      const { push, pulled, haveEnded, pushed } = await pushTo(name, `team/told/${slug}/${name}`, true)
      await push()
      expect(haveEnded()).toBe(true)
      expect(await pulled()).toEqual(pushed)
    })

    test.each(imageClientNames)('before the time that %s was told does no harm to the next push', async (name) => {
      const { push, pulled, haveEnded, pushed } = await pushTo(name, `team/early/${slug}/${name}`, false)
      const does = early[name]
      if (does === 'goes on') await push()
      else await expect(push()).rejects.toThrow(does)
      expect(haveEnded()).toBe(true)
      await push()
      expect(await pulled()).toEqual(pushed)
    })
  })
})
