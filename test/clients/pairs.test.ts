// Every client pulls what every other pushed: they differ in how they compress layers and in whose words they write a
// manifest.

import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { publishedImage } from '../support/blob-traffic.ts'
import { referenceAt } from '../support/clients/image-client.ts'
import {
  type ImageClientName,
  imageClientNames,
  type ImageClients,
  neededFor,
  startClients,
} from '../support/clients/image-clients.ts'
import { describeWith } from '../support/clients/programs.ts'
import { makeImage, type TestImage } from '../support/image.ts'
import { type Stack, startStack, temporaryFolder } from '../support/stack.ts'

describeWith(neededFor(imageClientNames), 'images pushed by each client', () => {
  let clients: ImageClients<ImageClientName>
  let stack: Stack
  let image: TestImage

  beforeAll(async () => {
    const started = await startClients(imageClientNames)
    clients = started.clients
    return started.stop
  })

  beforeAll(async () => {
    stack = await startStack('workerd')
    return () => stack.stop()
  })

  beforeAll(async () => {
    const folder = await temporaryFolder()
    image = await makeImage(join(folder.path, 'image'), 'pairs', [100_000, 0, 1])
    for (const pusher of imageClientNames)
      await clients[pusher].push(image, referenceAt(stack.originUrl, `pushed-by/${pusher}:latest`))
    return folder.remove
  })

  test.each(imageClientNames)('are pulled whole by %s', async (puller) => {
    for (const pusher of imageClientNames) {
      const { digest } = await publishedImage(stack.originUrl, `pushed-by/${pusher}`, 'latest')

      const pulled = await clients[puller].pull(referenceAt(stack.edgeUrl, `pushed-by/${pusher}:latest`))

      expect(pulled, `pushed by ${pusher}`).toEqual({
        manifestDigest: digest,
        diffIds: image.layers.map((layer) => layer.digest),
      })
    }
  })
})
