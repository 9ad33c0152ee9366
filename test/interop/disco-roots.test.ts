// Images that Forta's Disco made are pulled by the CIDs that it gave them, from the Kubo that it uses and over the swarm.

import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { referenceAt } from '../support/clients/image-client.ts'
import { type ImageClients, neededFor, startClients } from '../support/clients/image-clients.ts'
import { type Disco, missingForDisco, startDisco } from '../support/other-registries/disco.ts'
import { makeImage } from '../support/image.ts'
import { type Kubo, startKubo } from '../support/ipfs/kubo.ts'
import { startStack, type Stack, temporaryFolder } from '../support/stack.ts'

const names = ['skopeo', 'crane', 'docker'] as const
const missing = missingForDisco(...neededFor(names))

/** Two of several of Kubo's chunks, and one of less than one. */
const layerSizes = [5_000_000, 3_000_000, 100]

interface Discos {
  readonly kubo: Kubo
  readonly disco: Disco
  /** Of Kubo alone. */
  readonly stopKubo: () => Promise<void>
  readonly stop: () => Promise<void>
}

async function startDiscoAlone(): Promise<Discos> {
  const kubo = await startKubo({ swarm: true })
  const disco = await startDisco({ kubo })
  let stopped: Promise<void> | undefined
  const stopKubo = () => (stopped ??= kubo.stop())
  return {
    kubo,
    disco,
    stopKubo,
    async stop() {
      await disco.stop()
      await stopKubo()
    },
  }
}

describe.skipIf(missing !== undefined)(`images of Forta's Disco (${missing ?? 'real'})`, () => {
  let theirs: Discos
  let otherKubo: Kubo
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  let running: Awaited<ReturnType<typeof startClients<(typeof names)[number]>>>
  let clients: ImageClients<(typeof names)[number]>
  const ours = new Map<string, Stack>()

  beforeAll(async () => {
    theirs = await startDiscoAlone()
    otherKubo = await startKubo()
    await otherKubo.connect(theirs.kubo)
    folder = await temporaryFolder()
    running = await startClients(names)
    ;({ clients } = running)
    ours.set('its Kubo', await startStack('node', undefined, { 'ipfs-kubo-url': theirs.kubo.url }))
    ours.set('a Kubo beside it', await startStack('node', undefined, { 'ipfs-kubo-url': otherKubo.url }))
    const peers = { 'ipfs-peers': theirs.kubo.address ?? '' }
    ours.set('the embedded node', await startStack('node', undefined, peers))
  })

  afterAll(async () => {
    for (const stack of ours.values()) await stack.stop()
    await running.stop()
    await folder.remove()
    await otherKubo.stop()
    await theirs.stop()
  })

  describe.each(names)('that %s pulls', (client) => {
    describe.each([
      ['its Kubo', 'originUrl'],
      ['its Kubo', 'edgeUrl'],
      ['a Kubo beside it', 'originUrl'],
      ['the embedded node', 'edgeUrl'],
    ] as const)('come from %s to %s', (through, face) => {
      test('whole, with the same digest', async () => {
        const seed = `${client} ${through} ${face}`.replaceAll(' ', '-')
        const image = await makeImage(join(folder.path, seed), seed, layerSizes)
        // One blob after another: of several at once, as crane sends them, Disco loses some.
        const push = () => clients.skopeo.push(image, `${referenceAt(theirs.disco.url, 'pushed')}:latest`)
        const { root, digest } = await madeBy(push, theirs)
        const base = ours.get(through)?.[face] ?? ''
        for (const reference of [`${root}:latest`, `${root}@${digest}`, `${digest.slice('sha256:'.length)}:${root}`]) {
          const pulled = await clients[client].pull(referenceAt(base, reference))
          expect([reference, pulled.manifestDigest]).toEqual([reference, digest])
          expect(pulled.diffIds).toEqual(image.layers.map((layer) => layer.digest))
        }
      })
    })
  })

  test('are made of other blocks than ours: the same image has two roots, and both are pulled', async () => {
    const image = await makeImage(join(folder.path, 'both'), 'both', layerSizes)
    const stack = ours.get('its Kubo')
    const { digest } = image.manifest
    await clients.skopeo.push(image, `${referenceAt(theirs.disco.url, 'both')}:latest`)
    const their = await theirs.disco.rootOf(digest)
    await clients.skopeo.push(image, `${referenceAt(stack?.originUrl ?? '', 'both')}:latest`)
    const answer = await fetch(`${stack?.originUrl}/v2/both/manifests/latest`)
    const our = answer.headers.get('X-Ipfs-Path')?.slice('/ipfs/'.length)
    expect(our).toMatch(/^bafybei/)
    expect(our).not.toBe(their)
    for (const root of [our, their])
      expect(
        (await clients.skopeo.pull(`${referenceAt(stack?.edgeUrl ?? '', root ?? '')}:latest`)).manifestDigest,
      ).toBe(digest)
  })
})

describe.skipIf(missing !== undefined)(`an image of Forta's Disco that was pulled once (${missing ?? 'real'})`, () => {
  test.each(['originUrl', 'edgeUrl'] as const)('comes again where the bucket lost its blobs, at %s', async (face) => {
    const theirs = await startDiscoAlone()
    onTestFinished(theirs.stop)
    const folder = await temporaryFolder()
    onTestFinished(folder.remove)
    const { clients, stop } = await startClients(['skopeo'])
    onTestFinished(stop)
    const stack = await startStack('node', undefined, { 'ipfs-kubo-url': theirs.kubo.url })
    onTestFinished(() => stack.stop())
    const image = await makeImage(folder.path, 'lost', layerSizes)
    await clients.skopeo.push(image, `${referenceAt(theirs.disco.url, 'pushed')}:latest`)
    const root = (await theirs.disco.rootOf(image.manifest.digest)) ?? ''
    for (const _ of ['first', 'again']) {
      const pulled = await clients.skopeo.pull(`${referenceAt(stack[face], root)}:latest`)
      expect(pulled.manifestDigest).toBe(image.manifest.digest)
      await rm(join(stack.dataFolder, 'bucket', 'docker', 'registry', 'v2', 'blobs'), { recursive: true })
    }
  })

  test('is a hit when its Kubo is gone', async () => {
    const theirs = await startDiscoAlone()
    onTestFinished(theirs.stop)
    const folder = await temporaryFolder()
    onTestFinished(folder.remove)
    const { clients, stop } = await startClients(['skopeo'])
    onTestFinished(stop)
    const stack = await startStack('node', undefined, { 'ipfs-kubo-url': theirs.kubo.url })
    onTestFinished(() => stack.stop())
    const image = await makeImage(folder.path, 'hit', layerSizes)
    await clients.skopeo.push(image, `${referenceAt(theirs.disco.url, 'pushed')}:latest`)
    const root = (await theirs.disco.rootOf(image.manifest.digest)) ?? ''
    await clients.skopeo.pull(`${referenceAt(stack.originUrl, root)}:latest`)
    await theirs.stopKubo()
    for (const base of [stack.originUrl, stack.edgeUrl]) {
      const pulled = await clients.skopeo.pull(`${referenceAt(base, root)}:latest`)
      expect(pulled.manifestDigest).toBe(image.manifest.digest)
    }
    expect(new Set(stack.log('edge').map(({ tier }) => tier))).not.toContain('origin')
  })
})

/** What a push made. docker compresses layers, so that nobody knows the digest before. */
async function madeBy(push: () => Promise<void>, { kubo, disco }: Discos): Promise<{ root: string; digest: string }> {
  const before = new Set(await digestNames(kubo))
  await push()
  const [hex, ...others] = (await digestNames(kubo)).filter((name) => !before.has(name))
  if (hex === undefined || others.length > 0) throw new Error('the push made no image, or several')
  const digest = `sha256:${hex}`
  return { root: (await disco.rootOf(digest)) ?? '', digest }
}

/** The repositories in which Disco keeps images by their digests. */
async function digestNames({ rpc }: Kubo): Promise<readonly string[]> {
  const folder = '/docker/registry/v2/repositories'
  await rpc.files.mkdir(folder, { parents: true })
  const names: string[] = []
  for await (const { name } of rpc.files.ls(folder)) names.push(name)
  return names.filter((name) => /^[0-9a-f]{64}$/.test(name))
}
