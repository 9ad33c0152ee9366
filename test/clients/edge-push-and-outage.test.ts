// What clients see at the edge beyond a plain pull: it takes pushes, follows a tag that moves at the origin, and goes on
// serving without the origin.

import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { publishedImage } from '../support/blob-traffic.ts'
import { referenceAt } from '../support/clients/image-client.ts'
import {
  imageClientNames,
  imageClients,
  type ImageClients,
  neededFor,
  startClients,
} from '../support/clients/image-clients.ts'
import { describeWith } from '../support/clients/programs.ts'
import { type Faces, startFaces } from '../support/faces/faces.ts'
import { diffIds, makeImage, type TestImage } from '../support/image.ts'
import { eventually, type Stack, startStack, temporaryFolder } from '../support/stack.ts'

const mib = 1024 * 1024
const runtimes = ['node', 'workerd'] as const

describeWith(neededFor(imageClientNames), 'clients at the edge', () => {
  let clients: ImageClients<(typeof imageClientNames)[number]>
  let first: TestImage
  let second: TestImage

  beforeAll(async () => {
    const started = await startClients(imageClientNames)
    clients = started.clients
    return started.stop
  })

  beforeAll(async () => {
    const folder = await temporaryFolder()
    first = await makeImage(join(folder.path, 'first'), 'first', [5 * mib, mib / 4, 1])
    second = await makeImage(join(folder.path, 'second'), 'second', [3 * mib])
    return folder.remove
  })

  describe.each(runtimes)('on %s', (runtime) => {
    let stack: Stack

    beforeAll(async () => {
      stack = await startStack(runtime)
      return () => stack.stop()
    })

    test.each(imageClientNames)('a push by %s goes through the edge to the origin', async (client) => {
      const name = `through-the-edge/${client}`

      await clients[client].push(first, referenceAt(stack.edgeUrl, `${name}:latest`))

      const { digest } = await publishedImage(stack.originUrl, name, 'latest')
      if (imageClients[client].keepsDigests === 'all') expect(digest).toBe(first.manifest.digest)
      expect(await clients[client].pull(referenceAt(stack.edgeUrl, `${name}:latest`))).toEqual({
        manifestDigest: digest,
        diffIds: diffIds(first),
      })
      await eventually('the edge says that it asked the origin', () =>
        stack
          .log('edge')
          .some((line) => line['method'] === 'PUT' && line['name'] === name && line['tier'] === 'origin'),
      )
    })

    test.each(imageClientNames)('a tag that moved at the origin is what %s pulls next', async (client) => {
      const name = `moved/${client}`
      const pull = () => clients[client].pull(referenceAt(stack.edgeUrl, `${name}:latest`))
      for (const image of [first, second, first]) {
        await clients.skopeo.push(image, referenceAt(stack.originUrl, `${name}:latest`))

        expect(await pull()).toEqual({ manifestDigest: image.manifest.digest, diffIds: diffIds(image) })
      }
    })
  })

  describe.each(runtimes)('on %s without the origin', (runtime) => {
    let faces: Faces
    let edgeUrl: string

    beforeAll(async () => {
      faces = await startFaces()
      edgeUrl = faces.url(runtime === 'node' ? 'edge on Node' : 'edge in workerd')
      const originUrl = faces.url('origin')
      await clients.skopeo.push(first, referenceAt(originUrl, 'pushed/before:first'))
      await clients.skopeo.push(second, referenceAt(originUrl, 'pushed/before:second'))
      await faces.end('origin')
      return () => faces.stop()
    })

    test.each(imageClientNames)('%s pulls everything', async (client) => {
      for (const [tag, image] of Object.entries({ first, second })) {
        expect(await clients[client].pull(referenceAt(edgeUrl, `pushed/before:${tag}`))).toEqual({
          manifestDigest: image.manifest.digest,
          diffIds: diffIds(image),
        })
      }
    })

    // docker's too, but it tries again for most of a minute.
    const impatient = imageClientNames.filter((client) => client !== 'docker')
    test.each(impatient)('a push by %s fails instead of hanging', async (client) => {
      const push = clients[client].push(second, referenceAt(edgeUrl, 'pushed/after:latest'))

      await expect(push).rejects.toThrow(/503|unavailable/i)
    })
  })
})
