// Every client that moves images pushes them to the origin and pulls them through each face, from nothing.

import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { type PublishedImage, publishedImage, publishedIndex } from '../support/blob-traffic.ts'
import { type ImageClient, referenceAt } from '../support/clients/image-client.ts'
import { imageClientNames, imageClients, neededFor } from '../support/clients/image-clients.ts'
import { describeWith } from '../support/clients/programs.ts'
import { faceNames, type Faces, startFaces } from '../support/faces/faces.ts'
import { diffIds, makeImage, makeIndex, type TestImage, type TestIndex } from '../support/image.ts'
import { temporaryFolder } from '../support/stack.ts'

const kib = 1024
const sizes = {
  'of one layer': [300 * kib],
  'of 20 small layers': Array.from({ length: 20 }, (_, at) => at * kib),
} as const
const architectures = ['amd64', 'arm64', 'riscv64'] as const

/** How long a log line may take to reach us. */
const soon = { timeout: 10_000 }

let faces: Faces
const images = new Map<string, TestImage>()
let index: TestIndex

beforeAll(async () => {
  faces = await startFaces()
  return () => faces.stop()
})

beforeAll(async () => {
  const folder = await temporaryFolder()
  for (const [what, layerSizes] of Object.entries(sizes))
    images.set(what, await makeImage(join(folder.path, what), what, layerSizes))
  index = await makeIndex(join(folder.path, 'platforms'), 'platforms', [200 * kib, 1], architectures)
  return folder.remove
})

for (const name of imageClientNames) {
  describeWith(neededFor([name]), `by ${name}`, () => {
    const { keepsDigests } = imageClients[name]
    let client: ImageClient

    beforeAll(async () => {
      client = await imageClients[name].start()
      return () => client.stop()
    })

    describe.each(Object.keys(sizes))('an image %s', (what) => {
      const repository = `${name}/${what.replaceAll(' ', '-')}`
      let image: TestImage
      let published: PublishedImage

      beforeAll(async () => {
        image = made(what)
        await client.push(image, referenceAt(faces.url('origin'), `${repository}:latest`))
        published = await publishedImage(faces.url('origin'), repository, 'latest')
      })

      if (keepsDigests === 'all') {
        test('keeps its digest', () => {
          expect(published.digest).toBe(image.manifest.digest)
        })
      }

      test.each(faceNames)('is pulled whole from the %s', async (face) => {
        const given = faces.watchBlobs(face)

        const pulled = await client.pull(referenceAt(faces.url(face), `${repository}:latest`))

        expect(pulled).toEqual({ manifestDigest: published.digest, diffIds: diffIds(image) })
        await expect.poll(given, soon).toEqual(blobs(published))
      })
    })

    describe('an index with images of several architectures', () => {
      const repository = `${name}/platforms`
      let published: Awaited<ReturnType<typeof publishedIndex>>

      beforeAll(async () => {
        await client.pushIndex(index, referenceAt(faces.url('origin'), `${repository}:latest`))
        published = await publishedIndex(faces.url('origin'), repository, 'latest')
      })

      if (keepsDigests === 'all') {
        test('keeps its digest', () => {
          expect(published.digest).toBe(index.index.digest)
        })
      }

      if (keepsDigests !== 'nothing') {
        test('keeps the digests of its images', () => {
          const digests = published.images.map(({ digest }) => digest)
          expect(digests).toEqual(index.images.map(({ manifest }) => manifest.digest))
        })
      }

      test.each(faceNames)('is pulled whole from the %s', async (face) => {
        const given = faces.watchBlobs(face)

        const pulled = await client.pullIndex(referenceAt(faces.url(face), `${repository}:latest`), architectures)

        expect(pulled).toEqual({
          indexDigest: published.digest,
          diffIds: Object.fromEntries(index.images.map((image) => [image.architecture, diffIds(image)])),
        })
        await expect.poll(given, soon).toEqual(blobs(...published.images))
      })
    })
  })
}

function made(what: string): TestImage {
  const image = images.get(what)
  if (image === undefined) throw new Error(`no image ${what}`)
  return image
}

/** Digests of their blobs, each once, sorted. */
function blobs(...published: readonly PublishedImage[]): readonly string[] {
  return [...new Set(published.flatMap((image) => image.blobs.map(({ digest }) => digest)))].sort()
}
