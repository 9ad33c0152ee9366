// Pull by CID with real clients: an image that was pushed to one registry comes out of another one, which has a bucket of
// its own and knows nothing of the first but its address on IPFS.

import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { referenceAt } from '../support/clients/image-client.ts'
import {
  imageClientNames,
  imageClients,
  type ImageClients,
  neededFor,
  startClients,
} from '../support/clients/image-clients.ts'
import { describeWith } from '../support/clients/programs.ts'
import { rootIn } from '../support/http-client.ts'
import { diffIds, makeImage, type TestImage } from '../support/image.ts'
import { startKubo, type Kubo } from '../support/ipfs/kubo.ts'
import { type Part, type Stack, startPart, startStack, temporaryFolder } from '../support/stack.ts'

const mib = 1024 * 1024
const runtimes = ['node', 'workerd'] as const

const rootAt = async (url: string, name: string) => {
  return rootIn(await fetch(`${url}/v2/${name}/manifests/latest`, { method: 'HEAD' }))
}

describeWith(neededFor(imageClientNames), 'clients that pull by CID', () => {
  let clients: ImageClients<(typeof imageClientNames)[number]>
  let folder: { path: string; remove: () => Promise<void> }

  beforeAll(async () => {
    const started = await startClients(imageClientNames)
    clients = started.clients
    return started.stop
  })

  beforeAll(async () => {
    folder = await temporaryFolder()
    return folder.remove
  })

  describe.each(runtimes)('from an edge on %s', (runtime) => {
    /** One for each client, so that none was seen before. */
    const images = new Map<string, { image: TestImage; root: string }>()
    const madeFor = (client: string) => {
      const made = images.get(client)
      if (made === undefined) throw new Error(`${client} has no image`)
      return made
    }
    let data: { path: string; remove: () => Promise<void> }
    let swarm: Part
    let pulledFrom: Stack

    beforeAll(async () => {
      data = await temporaryFolder()
      const pushedTo = await startStack('node', data.path, { 'ipfs-listen': '/ip4/127.0.0.1/tcp/0' })
      for (const client of imageClientNames) {
        const seed = `${runtime} ${client}`
        const image = await makeImage(join(folder.path, runtime, client), seed, [5 * mib, mib / 4, 1])
        await clients.skopeo.push(image, referenceAt(pushedTo.originUrl, `far/${client}:latest`))
        images.set(client, { image, root: await rootAt(pushedTo.originUrl, `far/${client}`) })
      }
      const address = String(pushedTo.log('origin').find(({ msg }) => msg === 'ready')?.['ipfs'])
      // Its HTTP listeners stop; its folder, its key and its port on IPFS stay.
      await pushedTo.stop()
      const [listen = ''] = address.split('/p2p/')
      swarm = await startPart('swarm', { 'data-dir': data.path, 'ipfs-listen': listen })
      expect(swarm.url).toBe(address)
      pulledFrom = await startStack(runtime, undefined, { 'ipfs-peers': address })
      return async () => {
        await pulledFrom.stop()
        await swarm.stop()
        await data.remove()
      }
    })

    test.each(imageClientNames)('%s gets an image that was never seen there, all of it', async (client) => {
      const { image, root } = madeFor(client)
      expect(root).toMatch(/^bafybei/)
      const reference = referenceAt(pulledFrom.edgeUrl, `${root}:latest`)
      expect(await clients[client].pull(reference)).toEqual({
        manifestDigest: image.manifest.digest,
        diffIds: diffIds(image),
      })
    })

    test.each(imageClientNames)('%s gets it again when the other one has gone, by its digest too', async (client) => {
      await swarm.stop()
      const { image, root } = madeFor(client)
      for (const reference of [`${root}:latest`, `${root}@${image.manifest.digest}`]) {
        expect(await clients[client].pull(referenceAt(pulledFrom.edgeUrl, reference))).toEqual({
          manifestDigest: image.manifest.digest,
          diffIds: diffIds(image),
        })
      }
    })
  })
})

describeWith(['ipfs', ...neededFor(imageClientNames)], 'the same image', () => {
  let clients: ImageClients<(typeof imageClientNames)[number]>
  let kubo: Kubo
  let embedded: Stack
  let onKubo: Stack
  let image: TestImage

  beforeAll(async () => {
    const started = await startClients(imageClientNames)
    clients = started.clients
    return started.stop
  })

  beforeAll(async () => {
    const folder = await temporaryFolder()
    image = await makeImage(folder.path, 'one CID', [3 * mib + 5, mib, mib / 4])
    kubo = await startKubo()
    embedded = await startStack('node')
    onKubo = await startStack('node', undefined, { 'ipfs-backend': 'kubo', 'ipfs-kubo-url': kubo.url })
    return async () => {
      await onKubo.stop()
      await embedded.stop()
      await kubo.stop()
      await folder.remove()
    }
  })

  test.each(imageClientNames)('pushed by %s has one CID, embedded and on Kubo', async (client) => {
    const name = `same/${client}`
    for (const stack of [embedded, onKubo])
      await clients[client].push(image, referenceAt(stack.originUrl, `${name}:latest`))
    const root = await rootAt(embedded.originUrl, name)
    expect([root, root]).toEqual([expect.stringMatching(/^bafybei/), await rootAt(onKubo.originUrl, name)])
    if (imageClients[client].keepsDigests !== 'all') return
    await clients.skopeo.push(image, referenceAt(embedded.originUrl, 'same/skopeo:latest'))
    expect(root).toBe(await rootAt(embedded.originUrl, 'same/skopeo'))
  })
})
