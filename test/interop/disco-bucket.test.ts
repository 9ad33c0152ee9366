// A folder that the filesystem cache of Forta's Disco wrote is served in place, as Disco served it.

import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { referenceAt } from '../support/clients/image-client.ts'
import { neededFor, startClients } from '../support/clients/image-clients.ts'
import { type Disco, missingForDisco, startDisco } from '../support/other-registries/disco.ts'
import { makeImage, type TestImage } from '../support/image.ts'
import { type Kubo, startKubo } from '../support/ipfs/kubo.ts'
import { filesIn } from '../support/registry-content.ts'
import { startStack, type Stack, temporaryFolder } from '../support/stack.ts'

const names = ['skopeo', 'crane', 'docker'] as const
const missing = missingForDisco(...neededFor(names))

describe.skipIf(missing !== undefined).each([
  ['beside a Kubo', false],
  ['without one', true],
] as const)(`a folder that the cache of Forta's Disco wrote %s (${missing ?? 'real'})`, (_, cacheOnly) => {
  let kubo: Kubo
  let emptyKubo: Kubo
  let data: Awaited<ReturnType<typeof temporaryFolder>>
  let running: Awaited<ReturnType<typeof startClients<(typeof names)[number]>>>
  let image: TestImage
  let root: string
  let written: Readonly<Record<string, string>>
  const stacks: Stack[] = []

  beforeAll(async () => {
    ;[kubo, emptyKubo] = await Promise.all([startKubo(), startKubo()])
    data = await temporaryFolder()
    running = await startClients(names)
    image = await makeImage(join(data.path, 'image'), 'cached', [3_000_000, 100])
    const cacheFolder = join(data.path, 'cache')
    const disco = await startDisco({ kubo, cache: cacheFolder, cacheOnly })
    try {
      await running.clients.skopeo.push(image, `${referenceAt(disco.url, 'pushed')}:latest`)
      root = (await disco.rootOf(image.manifest.digest)) ?? ''
      await pulledFromDisco(disco)
    } finally {
      await disco.stop()
    }
    written = await filesIn(cacheFolder)
    const optionsOf = { alone: {}, 'with a Kubo that has none of it': { 'ipfs-kubo-url': emptyKubo.url } }
    for (const [at, options] of Object.values(optionsOf).entries()) {
      const folder = join(data.path, `bucket-${at}`)
      await cp(cacheFolder, folder, { recursive: true })
      stacks.push(await startStack('node', join(data.path, `data-${at}`), { 'bucket-folder': folder, ...options }))
    }
  })

  /** That there is something to serve. */
  async function pulledFromDisco(disco: Disco): Promise<void> {
    const pulled = await running.clients.skopeo.pull(`${referenceAt(disco.url, root)}:latest`)
    expect(pulled.manifestDigest).toBe(image.manifest.digest)
  }

  afterAll(async () => {
    for (const stack of stacks) await stack.stop()
    await running.stop()
    await kubo.stop()
    await emptyKubo.stop()
    await data.remove()
  })

  describe.each([
    ['alone', 0],
    ['with a Kubo that has none of it', 1],
  ] as const)('is served %s', (_, at) => {
    describe.each(['originUrl', 'edgeUrl'] as const)('at %s', (face) => {
      test.each(names)('to %s, by CID, by digest, and by the tag that leads from one to the other', async (client) => {
        const { digest } = image.manifest
        const hex = digest.slice('sha256:'.length)
        for (const reference of [`${root}:latest`, `${root}@${digest}`, `${hex}:latest`, `${hex}:${root}`]) {
          const pulled = await running.clients[client].pull(referenceAt(stacks[at]?.[face] ?? '', reference))
          expect([reference, pulled.manifestDigest]).toEqual([reference, digest])
        }
      })

      test('with the list of tags that shows the CID', async () => {
        const hex = image.manifest.digest.slice('sha256:'.length)
        const answer = await fetch(`${stacks[at]?.[face]}/v2/${hex}/tags/list`)
        expect(await answer.json()).toEqual({ name: hex, tags: [root, 'latest'].sort() })
      })
    })
  })

  test('has the tag that Disco gave an image also when the image was pushed to Mirrorball since', async () => {
    const { digest } = image.manifest
    const hex = digest.slice('sha256:'.length)
    const { originUrl = '', edgeUrl = '' } = stacks[0] ?? {}
    await running.clients.skopeo.push(image, `${referenceAt(originUrl, 'pushed/again')}:latest`)
    const { tags } = (await (await fetch(`${originUrl}/v2/${hex}/tags/list`)).json()) as { tags: readonly string[] }
    expect(tags).not.toContain(root)
    for (const base of [originUrl, edgeUrl])
      for (const reference of [`${root}:latest`, `${hex}:${root}`, `${hex}:${tags[0]}`, `${tags[0]}:latest`]) {
        const pulled = await running.clients.skopeo.pull(referenceAt(base, reference))
        expect([reference, pulled.manifestDigest]).toEqual([reference, digest])
      }
  })

  test('and nothing of it is removed or changed', async () => {
    for (const at of [0, 1]) expect(await filesIn(join(data.path, `bucket-${at}`))).toMatchObject(written)
  })
})
