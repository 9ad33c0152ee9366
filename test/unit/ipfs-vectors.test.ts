// The vectors of files and image roots: what every backend has to agree on.

import { describe, expect, test } from 'vitest'
import { nodeHasher } from '../../origin/upload/node-hasher.ts'
import { startBlobHash } from '../../shared/ipfs/blob-hash.ts'
import { directoryOf } from '../../shared/ipfs/directory-shape.ts'
import { shapeOfFile } from '../../shared/ipfs/file-shape.ts'
import { imageRoot } from '../../shared/ipfs/image-root.ts'
import { type DigestAlgorithm, digestOf, parseDigest } from '../../shared/protocol/digest.ts'
import { parseManifest } from '../../shared/protocol/manifest.ts'
import { walk } from '../../shared/protocol/walk.ts'
import { emptyDirectory, fileVectors, imageVectors, smallFiles } from '../support/ipfs/ipfs-vectors.ts'

async function shapeOf(chunks: Iterable<Uint8Array>, algorithm: DigestAlgorithm = 'sha256') {
  const hash = startBlobHash(nodeHasher, algorithm, true)
  let sizeBytes = 0
  for (const chunk of chunks) {
    hash.update(chunk)
    sizeBytes += chunk.byteLength
  }
  return shapeOfFile(sizeBytes, await hash.leaves())
}

describe.each([64 * 1024, 1_000_003, 3 * 1024 * 1024])('a file that comes in chunks of %i bytes', (chunkBytes) => {
  test.each(smallFiles.map((file) => [file.about, file] as const))('%s', async (_, file) => {
    expect((await shapeOf(file.chunks(chunkBytes))).cid).toBe(file.cid)
    // A blob that is called by its sha512 is the same file.
    expect((await shapeOf(file.chunks(chunkBytes), 'sha512')).cid).toBe(file.cid)
  })
})

// A gibibyte takes seconds: two sides of the boundary between one node of links and two.
const largeFiles = fileVectors.filter((file) => !smallFiles.includes(file))
test
  .skipIf(process.env['MIRRORBALL_TEST_LARGE_GIB'] === undefined)
  .each(largeFiles.map((file) => [file.about, file] as const))('%s', async (_, file) => {
  expect((await shapeOf(file.chunks(1024 * 1024))).cid).toBe(file.cid)
})

test('an empty directory', async () => {
  expect((await directoryOf({})).top.cid).toBe(emptyDirectory)
})

test.each(imageVectors.map((image) => [image.name, image] as const))('%s', async (_, image) => {
  const manifests = new Map(
    image.manifests.map(({ digest, bytes }) => [required(parseDigest(digest)), parseManifest(bytes, undefined)]),
  )
  const top = required(parseDigest(image.manifestDigest))
  const walked = required(walk(top, manifests))
  if (image.walk !== undefined) expect(walked.map(({ digest }) => digest)).toEqual(image.walk)
  const digests = await Promise.all(
    walked.map(async (each) => {
      const bytes = required(image.contents.get(each.digest))
      expect(await digestOf(bytes, each.digest.startsWith('sha512') ? 'sha512' : 'sha256')).toBe(each.digest)
      const { cid, dagSizeBytes } = await shapeOf([bytes])
      return { ...each, file: { cid, dagSizeBytes } }
    }),
  )
  const { mediaType } = required(manifests.get(top))
  const sizeBytes = required(image.contents.get(top)).byteLength
  const made = await imageRoot({ digest: top, mediaType, sizeBytes }, digests)
  expect(made.cid).toBe(image.root)
  for (let time = 0; time < 20; time += 1)
    expect((await imageRoot({ digest: top, mediaType, sizeBytes }, digests)).blocks).toEqual(made.blocks)
})

function required<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('missing')
  return value
}
