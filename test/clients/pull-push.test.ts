// Real clients push images to the origin, and real clients pull them through the edge: everything arrives whole, and
// the blobs come from the bucket, never through the edge.

import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { type PublishedImage, publishedImage, watchBlobTraffic } from '../support/blob-traffic.ts'
import { referenceAt } from '../support/clients/image-client.ts'
import { type ImageClients, neededFor, startClients } from '../support/clients/image-clients.ts'
import { describeWith } from '../support/clients/programs.ts'
import { diffIds, makeImage, type TestImage } from '../support/image.ts'
import { type Stack, startStack, temporaryFolder } from '../support/stack.ts'

const mib = 1024 * 1024
const images = [
  { name: 'large', what: '200 MB in 2 layers', layerSizes: [100_000_000, 100_000_000] },
  { name: 'many', what: '40 layers of 256 KiB', layerSizes: Array.from({ length: 40 }, () => mib / 4) },
] as const

/** How long a log line may take to reach us. */
const soon = { timeout: 10_000 }

const clientNames = ['skopeo', 'crane', 'docker'] as const

describeWith(neededFor(clientNames), 'images from client to client', () => {
  let clients: ImageClients<(typeof clientNames)[number]>
  const made = new Map<string, TestImage>()

  beforeAll(async () => {
    const started = await startClients(clientNames)
    clients = started.clients
    return started.stop
  })

  beforeAll(async () => {
    const folder = await temporaryFolder()
    for (const { name, layerSizes } of images)
      made.set(name, await makeImage(join(folder.path, name), name, layerSizes))
    return folder.remove
  })

  describe.each(['node', 'workerd'] as const)('through the edge on %s', (runtime) => {
    let stack: Stack

    beforeAll(async () => {
      stack = await startStack(runtime)
      return () => stack.stop()
    })

    describe.each(images)('$what', ({ name }) => {
      describe.each(clientNames)('pushed by %s', (pusher) => {
        const repository = `pushed-by-${pusher}/${name}`
        let image: TestImage
        let published: PublishedImage

        beforeAll(async () => {
          const wanted = made.get(name)
          if (wanted === undefined) throw new Error(`${name} was not made`)
          image = wanted
          await clients[pusher].push(image, referenceAt(stack.originUrl, `${repository}:latest`))
          published = await publishedImage(stack.originUrl, repository, 'latest')
        })

        // docker compresses layers and writes a manifest of its own.
        if (pusher !== 'docker') {
          test('keep their digest', () => {
            expect(published.digest).toBe(image.manifest.digest)
          })
        }

        test.each(clientNames)('are pulled whole by %s, all blobs from the bucket', async (puller) => {
          const traffic = watchBlobTraffic((part) => stack.log(part))

          const pulled = await clients[puller].pull(referenceAt(stack.edgeUrl, `${repository}:latest`))

          expect(pulled).toEqual({
            manifestDigest: published.digest,
            diffIds: diffIds(image),
          })
          // Log lines may come after the answers they tell of. A worker also reads the manifest from the bucket.
          await expect.poll(traffic.redirected, soon).toEqual(published.blobs.map(({ digest }) => digest))
          await expect.poll(traffic.handedOut, soon).toEqual(expect.arrayContaining([...published.blobs]))
        })
      })
    })
  })
})
