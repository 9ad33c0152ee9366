// Clients sign in and push at an edge, and their layers go past it: to the origin's public host.

import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { ImageClient } from '../support/clients/image-client.ts'
import {
  type ImageClientName,
  imageClientNames,
  type ImageClients,
  neededFor,
  startClients,
} from '../support/clients/image-clients.ts'
import { describeWith } from '../support/clients/programs.ts'
import { says } from '../support/clients/refusals.ts'
import { passwords, startClosedFaces, type ClosedFaces } from '../support/faces/closed-faces.ts'
import { type Face, slugOf } from '../support/faces/faces.ts'
import { diffIds, makeImage, type TestImage } from '../support/image.ts'
import { type FacesWithPublicHost, startFacesWithPublicHost } from '../support/faces/public-host.ts'
import { temporaryFolder } from '../support/stack.ts'

const mb = 1_000_000
const edges = ['edge on Node', 'edge in workerd'] as const

/** Requests to a face that carry a layer of a repository; each kind once. */
function uploadsAt(faces: ClosedFaces, face: Face, repository: string): readonly string[] {
  const lines = faces.log(face).filter((line) => line['route'] === 'upload' && line['name'] === repository)
  return [...new Set(lines.map(({ method, status }) => `${method} ${status}`))]
}

describeWith(neededFor(imageClientNames), 'a push through the edge, where the origin has a public host,', () => {
  let faces: FacesWithPublicHost
  let clients: ImageClients<ImageClientName>
  let small: TestImage
  let large: TestImage

  beforeAll(async () => {
    faces = await startFacesWithPublicHost()
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
    small = await makeImage(join(folder.path, 'small'), 'small', [200_000, 1])
    large = await makeImage(join(folder.path, 'large'), 'large', [300 * mb])
    return folder.remove
  })

  describe.each(edges)('%s,', (edge) => {
    const at = (repository: string) => faces.at(edge, repository)
    const slug = slugOf(edge)

    describe.each(imageClientNames)('by %s', (name) => {
      let client: ImageClient

      beforeEach(async () => {
        client = clients[name]
        await client.signOut()
      })

      test('brings the layers to the origin past the edge', async () => {
        await client.login(faces.host(edge), 'alice', passwords.alice)
        const repository = `team/${slug}/${name}`

        await client.push(small, at(repository))

        expect(await client.pull(at(repository))).toMatchObject({ diffIds: diffIds(small) })
        expect(uploadsAt(faces, edge, repository)).toEqual([])
        expect(uploadsAt(faces, 'origin', repository)).toContain('PUT 201')
      })

      test('is denied to who may not', async () => {
        await client.login(faces.host(edge), 'bob', passwords.bob)
        await expect(client.push(small, at(`team/by-bob/${slug}/${name}`))).rejects.toThrow(says[name].denied)
      })
    })
  })

  test.each(['docker', 'podman'] as const)(
    'by %s, of 300 MB, leaves the memory of the worker as it was',
    async (name) => {
      const edge = 'edge in workerd'
      const client = clients[name]
      await client.login(faces.host(edge), 'alice', passwords.alice)
      const repository = `team/large/${name}`
      const before = await faces.peakMemoryMib(edge)

      await client.push(large, faces.at(edge, repository))

      const grown = (await faces.peakMemoryMib(edge)) - before
      process.stdout.write(`300 MB by ${name} past the edge in workerd: ${grown.toFixed(1)} MiB more at its peak\n`)
      expect(grown).toBeLessThan(10)
      expect(uploadsAt(faces, edge, repository)).toEqual([])
    },
  )
})

describeWith(
  neededFor(['docker', 'podman']),
  'a push of 300 MB through the edge in workerd, without such a host,',
  () => {
    let faces: ClosedFaces
    let clients: ImageClients<'docker' | 'podman'>
    let large: TestImage

    beforeAll(async () => {
      faces = await startClosedFaces()
      return () => faces.stop()
    })

    beforeAll(async () => {
      const started = await startClients(['docker', 'podman'])
      clients = started.clients
      return started.stop
    })

    beforeAll(async () => {
      const folder = await temporaryFolder()
      large = await makeImage(join(folder.path, 'large'), 'large', [300 * mb])
      return folder.remove
    })

    test.each(['docker', 'podman'] as const)('by %s, passes without filling its memory', async (name) => {
      const edge = 'edge in workerd'
      const client = clients[name]
      await client.login(faces.host(edge), 'alice', passwords.alice)
      const before = await faces.peakMemoryMib(edge)

      await client.push(large, faces.at(edge, `team/large/${name}`))

      const grown = (await faces.peakMemoryMib(edge)) - before
      process.stdout.write(`300 MB by ${name} through the edge in workerd: ${grown.toFixed(1)} MiB more at its peak\n`)
      expect(grown).toBeLessThan(120)
      expect(await client.pull(faces.at(edge, `team/large/${name}`))).toMatchObject({
        diffIds: diffIds(large),
      })
    })
  },
)
