// Images on their way without a registry, between us, Kubo and skopeo.

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { CarReader, CarWriter } from '@ipld/car'
import { CID } from 'multiformats/cid'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { missingClients, describeWith, runClient } from '../support/clients/programs.ts'
import { makeImage, makeIndex, type TestImage } from '../support/image.ts'
import { imageVectors } from '../support/ipfs/ipfs-vectors.ts'
import { type Kubo, startKubo } from '../support/ipfs/kubo.ts'
import { layoutDigest, readImage, readIndex } from '../support/clients/oci-layout.ts'
import { filesIn } from '../support/registry-content.ts'
import { startStack, type Stack, temporaryFolder } from '../support/stack.ts'
import { linesOf, runVerb } from '../support/verbs.ts'
import { pushVector } from '../e2e/content-names.suite.ts'

const mebibyte = 1024 * 1024

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let stack: Stack

beforeAll(async () => {
  ;[folder, stack] = [await temporaryFolder(), await startStack('node')]
})

afterAll(async () => {
  await stack.stop()
  await folder.remove()
})

const newFolder = async () => {
  const path = join(folder.path, crypto.randomUUID())
  await mkdir(path)
  return path
}

/** It would compress layers otherwise. */
const skopeoCopy = (...args: readonly string[]) =>
  runClient('skopeo', ['--insecure-policy', 'copy', '--all', '--preserve-digests', ...args])

describeWith(['ipfs'], 'a CAR and Kubo', () => {
  let kubo: Kubo
  let ipfs: (...args: readonly string[]) => Promise<string>

  beforeAll(async () => {
    kubo = await startKubo()
    const { port } = new URL(kubo.url)
    ipfs = (...args) => runClient('ipfs', ['--api', `/ip4/127.0.0.1/tcp/${port}`, ...args])
  })

  afterAll(() => kubo.stop())

  /** By the RPC: the program prints the CAR. */
  const dagExport = async (root: string, file: string) => {
    const answer = await fetch(`${kubo.url}/api/v0/dag/export?arg=${root}`, { method: 'POST' })
    await writeFile(file, new Uint8Array(await answer.arrayBuffer()))
  }

  test.each(imageVectors.map((image, at) => [image.name, image, at] as const))(
    'the image "%s" is imported, and what Kubo then gives is the layout that is exported',
    async (_, image, at) => {
      const [name, own] = [`vectors/image-${at}`, await newFolder()]
      await pushVector(stack.originUrl, name, image)
      const [car, layout, got] = ['image.car', 'layout', 'got'].map((file) => join(own, file)) as [
        string,
        string,
        string,
      ]
      for (const file of [car, layout]) await linesOf(runVerb(stack.dataFolder, 'export', `${name}:v1`, file))
      expect(await ipfs('dag', 'import', car)).toContain(image.root)
      expect(await ipfs('pin', 'ls', '--type', 'recursive')).toContain(image.root)
      await ipfs('get', `/ipfs/${image.root}`, '--output', got)
      const [ours, theirs] = [await filesIn(layout), await filesIn(got)]
      expect(theirs).toMatchObject(ours)
      const rest = Object.keys(theirs).filter((path) => ours[path] === undefined)
      expect(rest.filter((path) => !/^(?:_manifests|_layers)\/|^disco\.json$/.test(path))).toEqual([])
      // The same root again, from Kubo's own hands.
      const back = join(own, 'back.car')
      await dagExport(image.root, back)
      expect(await linesOf(runVerb(await newFolder(), 'import', back))).toEqual([image.manifestDigest, image.root])
    },
  )

  test('a layout that was added to Kubo as it is comes back as its image', async () => {
    const own = await newFolder()
    const image = await makeImage(join(own, 'layout'), 'added as it is', [3 * mebibyte, 1000])
    for (const options of [['--cid-version=1'], ['--cid-version=0', '--chunker=size-262144']]) {
      const root = (await ipfs('add', '-r', '-Q', ...options, join(own, 'layout'))).trim()
      const car = join(own, `${root}.car`)
      await dagExport(root, car)
      const data = await newFolder()
      const [digest, cid] = await linesOf(runVerb(data, 'import', car))
      expect([digest, cid]).toEqual([image.manifest.digest, expect.stringMatching(/^bafybei/)])
      const again = join(data, 'again')
      await linesOf(runVerb(data, 'export', cid ?? '', again))
      expect(await readImage(again, image.manifest.digest)).toMatchObject({ manifestDigest: image.manifest.digest })
    }
  })

  /** What Disco puts on IPFS: links and a list of CIDs, which may be of any form. */
  const writeDiscoRepository = async (own: string, image: TestImage): Promise<readonly string[]> => {
    const blobs = await Promise.all(
      [image.manifest, image.config, ...image.layers].map(async ({ digest }) => {
        const hex = digest.slice('sha256:'.length)
        const file = join(image.folder, 'blobs/sha256', hex)
        return { digest: hex, cid: (await ipfs('add', '-Q', '--chunker=size-262144', file)).trim() }
      }),
    )
    const tag = join(own, 'disco/_manifests/tags/latest/current')
    await mkdir(tag, { recursive: true })
    await writeFile(join(tag, 'link'), image.manifest.digest)
    await writeFile(join(own, 'disco/disco.json'), JSON.stringify({ blobs }))
    return blobs.map(({ cid }) => cid)
  }

  test('a root that Disco made is imported with its blobs in the CAR, and says which are missing without', async () => {
    const own = await newFolder()
    const image = await makeImage(join(own, 'made'), 'as Disco has it', [3 * mebibyte, 1000])
    const blobs = await writeDiscoRepository(own, image)
    const root = (await ipfs('add', '-r', '-Q', join(own, 'disco'))).trim()
    const { writer, out } = CarWriter.create([CID.parse(root)])
    const writing = (async () => {
      for (const top of [root, ...blobs]) {
        await dagExport(top, join(own, 'part.car'))
        for await (const block of (await CarReader.fromBytes(await readFile(join(own, 'part.car')))).blocks())
          await writer.put(block)
      }
      await writer.close()
    })()
    await writeFile(join(own, 'whole.car'), Readable.from(out))
    await writing
    await dagExport(root, join(own, 'root.car'))
    const data = await newFolder()
    const { code, stderr } = await runVerb(data, 'import', join(own, 'root.car'))
    expect([code, stderr]).toEqual([1, expect.stringContaining(image.manifest.digest)])
    const [digest, cid] = await linesOf(runVerb(data, 'import', join(own, 'whole.car')))
    expect(digest).toBe(image.manifest.digest)
    // Our root, and the image under Disco's as well.
    expect(await linesOf(runVerb(data, 'cid', CID.parse(root).toV1().toString()))).toEqual([cid])
    const layout = join(own, 'layout')
    await linesOf(runVerb(data, 'export', CID.parse(root).toV1().toString(), layout))
    await readImage(layout, image.manifest.digest)
  })

  test.skipIf(missingClients('skopeo') !== undefined)(
    'what Kubo gives is a layout that skopeo copies from',
    async () => {
      const own = await newFolder()
      const image = await makeImage(join(own, 'made'), 'through Kubo to skopeo', [3 * mebibyte, 1000])
      const [digest, root = ''] = await linesOf(
        runVerb(stack.dataFolder, 'import', join(own, 'made'), 'through/kubo:v1'),
      )
      await linesOf(runVerb(stack.dataFolder, 'export', 'through/kubo:v1', join(own, 'image.car')))
      await ipfs('dag', 'import', join(own, 'image.car'))
      await ipfs('get', `/ipfs/${root}`, '--output', join(own, 'got'))
      await skopeoCopy(`oci:${join(own, 'got')}`, `oci:${join(own, 'copy')}:latest`)
      expect([digest, await layoutDigest(join(own, 'copy'))]).toEqual([image.manifest.digest, image.manifest.digest])
      await readImage(join(own, 'copy'), image.manifest.digest)
    },
  )
})

describeWith(['skopeo'], 'what skopeo made', () => {
  test.each(['oci', 'oci-archive'])('an image of several architectures as %s', async (transport) => {
    const own = await newFolder()
    const index = await makeIndex(join(own, 'made'), `made for ${transport}`, [2 * mebibyte, 5], ['amd64', 'arm64'])
    const made = join(own, 'made-by-skopeo')
    await skopeoCopy(`oci:${index.folder}:latest`, `${transport}:${made}:some:tag`)
    const lines = await linesOf(runVerb(stack.dataFolder, 'import', made, `skopeo/${transport}`))
    expect(lines).toEqual([index.index.digest, expect.stringMatching(/^bafybei/)])
    const reference = `${new URL(stack.edgeUrl).host}/skopeo/${transport}:latest`
    const pulled = join(own, 'pulled')
    await skopeoCopy('--src-tls-verify=false', `docker://${reference}`, `oci:${pulled}:x`)
    expect(await readIndex(pulled, index.index.digest)).toMatchObject({ indexDigest: index.index.digest })
  })

  test('a layout of two images, of which one is chosen', async () => {
    const own = await newFolder()
    const images = [
      await makeImage(join(own, 'a'), 'the first of two', [1000]),
      await makeImage(join(own, 'b'), 'the second of two', [2000]),
    ]
    for (const image of images)
      await skopeoCopy(`oci:${image.folder}:latest`, `oci:${join(own, 'both')}:${image.manifest.digest.slice(7, 12)}`)
    const { code, stderr } = await runVerb(stack.dataFolder, 'import', join(own, 'both'), 'skopeo/both')
    expect(code).toBe(1)
    for (const { manifest } of images) expect(stderr).toContain(manifest.digest)
    for (const { manifest } of images) {
      const lines = await linesOf(
        runVerb(stack.dataFolder, 'import', join(own, 'both'), 'skopeo/both', '--digest', manifest.digest),
      )
      expect(lines[0]).toBe(manifest.digest)
    }
  })

  test.each(['layout', 'layout.tar'])('skopeo copies from what is exported as %s', async (file) => {
    const own = await newFolder()
    const image = await makeImage(join(own, 'made'), `exported as ${file}`, [3 * mebibyte, 1000])
    await linesOf(runVerb(stack.dataFolder, 'import', image.folder, 'for/skopeo'))
    const exported = join(own, file)
    await linesOf(runVerb(stack.dataFolder, 'export', 'for/skopeo', exported))
    const transport = file.endsWith('.tar') ? 'oci-archive' : 'oci'
    await skopeoCopy(`${transport}:${exported}`, `oci:${join(own, 'copy')}:latest`)
    expect(await layoutDigest(join(own, 'copy'))).toBe(image.manifest.digest)
    await readImage(join(own, 'copy'), image.manifest.digest)
  })
})
