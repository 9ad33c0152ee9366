// While the origin is away, edges go on: what is public is pulled without signing in, and what is private with a token
// that was issued before.

import { join } from 'node:path'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { referenceAt } from '../support/clients/image-client.ts'
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
import { type Face } from '../support/faces.ts'
import { tokenFor } from '../support/http-client.ts'
import { makeImage, type TestImage } from '../support/image.ts'
import { temporaryFolder } from '../support/stack.ts'

const edges = ['edge on Node', 'edge in workerd'] as const
/** Those that can be given an access token; the others ask for one of their own. */
const holders = ['skopeo', 'crane', 'docker', 'oras'] as const

describeWith(neededFor(imageClientNames), 'without the origin', () => {
  let faces: ClosedFaces
  let clients: ImageClients<ImageClientName>
  let image: TestImage
  let tokenFromBefore: string

  beforeAll(async () => {
    faces = await startClosedFaces()
    return () => faces.stop()
  })

  beforeAll(async () => {
    const started = await startClients(imageClientNames)
    clients = started.clients
    return started.stop
  })

  beforeAll(async () => {
    const folder = await temporaryFolder()
    image = await makeImage(join(folder.path, 'image'), 'before the outage', [100_000])
    await clients.skopeo.login(faces.host('origin'), 'alice', passwords.alice)
    for (const name of ['open/image', 'team/image'])
      await clients.skopeo.push(image, referenceAt(faces.url('origin'), `${name}:latest`))
    const scope = 'repository:team/image:pull'
    tokenFromBefore = await tokenFor(faces.url('origin'), 'alice', passwords.alice, [scope])
    // No edge was asked for anything yet.
    await faces.end('origin')
    return folder.remove
  })

  beforeEach(async () => {
    for (const name of imageClientNames) await clients[name].signOut()
  })

  const at = (face: Face, name: string) => referenceAt(faces.url(face), `${name}:latest`)
  const diffIds = () => image.layers.map(({ digest }) => digest)

  describe.each(edges)('at the %s', (face) => {
    test.each(imageClientNames)('%s pulls what is public', async (name) => {
      expect(await clients[name].pull(at(face, 'open/image'))).toMatchObject({ diffIds: diffIds() })
    })

    test.each(imageClientNames)('%s is told to sign in for what is private', async (name) => {
      await expect(clients[name].pull(at(face, 'team/image'))).rejects.toThrow(says[name].unauthorized)
    })

    test.each(holders)('%s pulls what is private with a token from before', async (name) => {
      await clients[name].useToken(faces.host(face), { kind: 'access', text: tokenFromBefore })
      expect(await clients[name].pull(at(face, 'team/image'))).toMatchObject({ diffIds: diffIds() })
    })

    test.each(imageClientNames)('%s is told soon that it cannot sign in for now', async (name) => {
      const attempt = async () => {
        await clients[name].login(faces.host(face), 'alice', passwords.alice)
        // Some ask only now.
        await clients[name].pull(at(face, 'team/image'))
      }
      // regctl says so of every failure of a token service.
      await expect(attempt()).rejects.toThrow(name === 'regctl' ? says.regctl.unauthorized : /503|unavailable/i)
    })
  })
})
