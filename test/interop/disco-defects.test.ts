// What Forta's Disco gets wrong, each as a test that Mirrorball does not: names, tags, pushes at once, what nobody has,
// and a Kubo that has lost its pins.

import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { referenceAt } from '../support/clients/image-client.ts'
import { type ImageClients, neededFor, startClients } from '../support/clients/image-clients.ts'
import { missingClients } from '../support/clients/programs.ts'
import { diffIds, makeImage, makeIndex, type TestImage } from '../support/image.ts'
import { type Kubo, startKubo } from '../support/ipfs/kubo.ts'
import { purgeKubo } from '../support/bucket/purge.ts'
import { startStack, type Stack, temporaryFolder } from '../support/stack.ts'

const names = ['skopeo', 'crane'] as const
const missing = missingClients('ipfs', ...neededFor(names))

describe.skipIf(missing !== undefined)(`unlike Forta's Disco, Mirrorball (${missing ?? 'real'})`, () => {
  let kubo: Kubo
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  let running: Awaited<ReturnType<typeof startClients<(typeof names)[number]>>>
  let clients: ImageClients<(typeof names)[number]>
  let pushedTo: Stack
  /** With a bucket of its own, on the same Kubo. */
  let elsewhere: Stack

  beforeAll(async () => {
    kubo = await startKubo()
    folder = await temporaryFolder()
    running = await startClients(names)
    ;({ clients } = running)
    const options = { 'ipfs-backend': 'kubo', 'ipfs-kubo-url': kubo.url }
    pushedTo = await startStack('node', undefined, options)
    elsewhere = await startStack('node', undefined, options)
  })

  afterAll(async () => {
    await elsewhere.stop()
    await pushedTo.stop()
    await running.stop()
    await folder.remove()
    await kubo.stop()
  })

  const image = (seed: string, sizes: readonly number[] = [2_000_000, 100]) =>
    makeImage(join(folder.path, seed), seed, sizes)
  const pushed = (base: string, reference: string) => (each: TestImage) =>
    clients.skopeo.push(each, referenceAt(base, reference))

  async function expectPulls(base: string, reference: string, image: TestImage): Promise<void> {
    for (const client of names) {
      const pulled = await clients[client].pull(referenceAt(base, reference))
      expect([client, reference, pulled.manifestDigest]).toEqual([client, reference, image.manifest.digest])
      expect(pulled.diffIds).toEqual(diffIds(image))
    }
  }

  async function rootOf(reference: string): Promise<string> {
    const answer = await fetch(`${pushedTo.originUrl}/v2/${reference.replace(':', '/manifests/')}`)
    expect(answer.headers.get('X-Ipfs-Path')).toMatch(/^\/ipfs\/bafybei/)
    return answer.headers.get('X-Ipfs-Path')?.slice('/ipfs/'.length) ?? ''
  }

  test('keeps tags other than latest, and every image that had one', async () => {
    const [one, two] = [await image('tags-one'), await image('tags-two')]
    await pushed(pushedTo.originUrl, 'tags:v1')(one)
    await pushed(pushedTo.originUrl, 'tags:1.0-beta_2')(one)
    await pushed(pushedTo.edgeUrl, 'tags:v2')(two)
    for (const base of [pushedTo.originUrl, pushedTo.edgeUrl]) {
      await expectPulls(base, 'tags:v1', one)
      await expectPulls(base, 'tags:1.0-beta_2', one)
      await expectPulls(base, 'tags:v2', two)
    }
    await expectPulls(elsewhere.edgeUrl, `${await rootOf('tags:v2')}:latest`, two)
  })

  test('moves the tag latest from one image to another, and both keep their content names', async () => {
    const [one, two] = [await image('latest-one'), await image('latest-two')]
    await pushed(pushedTo.originUrl, 'moving:latest')(one)
    const first = await rootOf('moving:latest')
    await pushed(pushedTo.originUrl, 'moving:latest')(two)
    const second = await rootOf('moving:latest')
    for (const base of [pushedTo.originUrl, pushedTo.edgeUrl]) {
      await expectPulls(base, 'moving:latest', two)
      await expectPulls(base, `${first}:latest`, one)
      await expectPulls(base, `${one.manifest.digest.slice(7)}:${first}`, one)
      await expectPulls(base, `${two.manifest.digest.slice(7)}:${second}`, two)
    }
  })

  test('takes nested names, and does not mix what their first components share', async () => {
    const [one, two] = [await image('nested-one'), await image('nested-two')]
    await pushed(pushedTo.originUrl, 'a/b/c:latest')(one)
    await pushed(pushedTo.edgeUrl, 'a/b:latest')(two)
    for (const base of [pushedTo.originUrl, pushedTo.edgeUrl]) {
      await expectPulls(base, 'a/b/c:latest', one)
      await expectPulls(base, 'a/b:latest', two)
      expect((await fetch(`${base}/v2/a/manifests/latest`)).status).toBe(404)
    }
    await expectPulls(elsewhere.originUrl, `${await rootOf('a/b/c:latest')}:latest`, one)
    await expectPulls(elsewhere.originUrl, `${await rootOf('a/b:latest')}:latest`, two)
  })

  test('gives an index of several architectures a CID, under which all of it is pulled', async () => {
    const architectures = ['amd64', 'arm64', 's390x']
    const index = await makeIndex(join(folder.path, 'multi'), 'multi', [2_000_000, 100], architectures)
    await clients.skopeo.pushIndex(index, referenceAt(pushedTo.originUrl, 'multi:latest'))
    const reference = `${await rootOf('multi:latest')}:latest`
    for (const base of [pushedTo.edgeUrl, elsewhere.edgeUrl, elsewhere.originUrl])
      for (const client of names) {
        const pulled = await clients[client].pullIndex(referenceAt(base, reference), architectures)
        expect([client, pulled.indexDigest]).toEqual([client, index.index.digest])
        expect(Object.keys(pulled.diffIds).sort()).toEqual(architectures)
      }
  })

  test('does not mix different images that are pushed to one name at once', async () => {
    const images = await Promise.all([0, 1, 2, 3, 4, 5].map((at) => image(`at-once-${at}`, [1_500_000 + at, 100 + at])))
    await Promise.all(
      images.flatMap((each, at) => [
        pushed(pushedTo.originUrl, `at-once:v${at}`)(each),
        pushed(pushedTo.edgeUrl, 'at-once:latest')(each),
      ]),
    )
    for (const [at, each] of images.entries()) {
      await expectPulls(pushedTo.edgeUrl, `at-once:v${at}`, each)
      await expectPulls(elsewhere.edgeUrl, `${await rootOf(`at-once:v${at}`)}:latest`, each)
    }
    const latest = await clients.skopeo.pull(referenceAt(pushedTo.edgeUrl, 'at-once:latest'))
    expect(images.map(({ manifest }) => manifest.digest)).toContain(latest.manifestDigest)
  })

  test('gives the same image the same CID at every push, whoever pushes', async () => {
    const once = await image('same', [5_000_000])
    const roots = new Set<string>()
    for (const [at, client] of (['skopeo', 'crane', 'skopeo'] as const).entries()) {
      await clients[client].push(once, referenceAt(pushedTo.originUrl, `same-${at}:latest`))
      roots.add(await rootOf(`same-${at}:latest`))
      // Nothing to build on, for the next.
      await purgeKubo(kubo)
    }
    expect(roots.size).toBe(1)
  })

  test('puts an image back into a Kubo that lost its pins and blocks when it is pushed again', async () => {
    const lost = await image('lost', [3_000_000, 100])
    await pushed(pushedTo.originUrl, 'lost:latest')(lost)
    const root = await rootOf('lost:latest')
    await purgeKubo(kubo)
    expect(await kubo.localBlock(root)).toBeUndefined()
    await pushed(pushedTo.originUrl, 'lost:latest')(lost)
    await kubo.collectGarbage()
    await expectPulls(elsewhere.originUrl, `${root}:latest`, lost)
  })

  test('serves the pushed name while Kubo is gone, and refuses a push rather than lie about it', async () => {
    const [before, after] = [await image('kubo-gone'), await image('kubo-gone-after')]
    const gone = await startKubo()
    let stopped: Promise<void> | undefined
    const stopKubo = () => (stopped ??= gone.stop())
    onTestFinished(stopKubo)
    const stack = await startStack('node', undefined, { 'ipfs-backend': 'kubo', 'ipfs-kubo-url': gone.url })
    onTestFinished(() => stack.stop())
    await pushed(stack.originUrl, 'gone:latest')(before)
    await stopKubo()
    await expect(pushed(stack.originUrl, 'gone:latest')(after)).rejects.toThrow()
    for (const base of [stack.originUrl, stack.edgeUrl]) {
      await expectPulls(base, 'gone:latest', before)
      const { digest } = after.manifest
      expect((await fetch(`${base}/v2/gone/manifests/${digest}`)).status).toBe(404)
    }
  })
})
