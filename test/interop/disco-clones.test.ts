// Forta's Disco clones images that Mirrorball pushed, by their CIDs, from the Kubo that both use or one beside it.

import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { referenceAt } from '../support/clients/image-client.ts'
import { type ImageClients, neededFor, startClients } from '../support/clients/image-clients.ts'
import { type Disco, missingForDisco, startDisco } from '../support/other-registries/disco.ts'
import { diffIds, makeImage, makeIndex } from '../support/image.ts'
import { type Kubo, startKubo } from '../support/ipfs/kubo.ts'
import { startStack, type Stack, temporaryFolder } from '../support/stack.ts'

const names = ['skopeo', 'crane', 'docker'] as const
const missing = missingForDisco(...neededFor(names))

describe.skipIf(missing !== undefined)(`Forta's Disco clones what Mirrorball pushed (${missing ?? 'real'})`, () => {
  let kubo: Kubo
  let otherKubo: Kubo
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  let running: Awaited<ReturnType<typeof startClients<(typeof names)[number]>>>
  let clients: ImageClients<(typeof names)[number]>
  let ours: Stack
  const discos = new Map<string, Disco>()

  beforeAll(async () => {
    ;[kubo, otherKubo] = await Promise.all([startKubo({ swarm: true }), startKubo()])
    await otherKubo.connect(kubo)
    folder = await temporaryFolder()
    running = await startClients(names)
    ;({ clients } = running)
    ours = await startStack('node', undefined, { 'ipfs-backend': 'kubo', 'ipfs-kubo-url': kubo.url })
    discos.set('the same Kubo', await startDisco({ kubo, cache: join(folder.path, 'cache') }))
    discos.set('a Kubo beside it', await startDisco({ kubo: otherKubo, cache: join(folder.path, 'cache-beside') }))
  })

  afterAll(async () => {
    for (const disco of discos.values()) await disco.stop()
    await ours.stop()
    await running.stop()
    await folder.remove()
    await otherKubo.stop()
    await kubo.stop()
  })

  /** Where Mirrorball has put an image. */
  async function rootAt(name: string): Promise<string> {
    const answer = await fetch(`${ours.originUrl}/v2/${name}/manifests/latest`)
    const path = answer.headers.get('X-Ipfs-Path')
    expect(path).toMatch(/^\/ipfs\/bafybei/)
    return path?.slice('/ipfs/'.length) ?? ''
  }

  describe.each(['the same Kubo', 'a Kubo beside it'])('from %s', (through) => {
    const disco = () => discos.get(through)?.url ?? ''

    test.each([
      ['one small layer', [100]],
      ['one layer', [3_000_000]],
      ['several layers', [5_000_000, 100, 1_048_576, 0]],
    ] as const)('an image of %s', async (what, layerSizes) => {
      const seed = `${what} ${through}`.replaceAll(' ', '-').toLowerCase()
      const image = await makeImage(join(folder.path, seed), seed, layerSizes)
      await clients.skopeo.push(image, `${referenceAt(ours.originUrl, seed)}:latest`)
      const root = await rootAt(seed)
      for (const client of ['skopeo', 'crane'] as const) {
        const pulled = await clients[client].pull(`${referenceAt(disco(), root)}:latest`)
        expect(pulled.manifestDigest).toBe(image.manifest.digest)
        expect(pulled.diffIds).toEqual(diffIds(image))
      }
    })

    test('an image that docker pushed, to docker', async () => {
      const name = `by-docker-from-${through.replaceAll(' ', '-').toLowerCase()}`
      const image = await makeImage(join(folder.path, name), name, [3_000_000, 100])
      await clients.docker.push(image, `${referenceAt(ours.edgeUrl, name)}:latest`)
      const pulled = await clients.docker.pull(`${referenceAt(disco(), await rootAt(name))}:latest`)
      expect(pulled.diffIds).toEqual(diffIds(image))
    })

    test('an index with all its images', async () => {
      const name = `index-from-${through.replaceAll(' ', '-').toLowerCase()}`
      const index = await makeIndex(join(folder.path, name), name, [2_000_000, 100], ['amd64', 'arm64'])
      await clients.skopeo.pushIndex(index, `${referenceAt(ours.originUrl, name)}:latest`)
      const pulled = await clients.skopeo.pullIndex(`${referenceAt(disco(), await rootAt(name))}:latest`, [
        'amd64',
        'arm64',
      ])
      expect(pulled.indexDigest).toBe(index.index.digest)
    })
  })
})
