// The names of blobs that were stored before IPFS was asked for: the same as if their leaves had been hashed on arrival.

import { randomBytes } from 'node:crypto'
import { expect, test, vi } from 'vitest'
import { nodeHasher } from '../../origin/upload/node-hasher.ts'
import { unhurried } from '../../shared/concurrency/unhurried.ts'
import { startBlobHash } from '../../shared/ipfs/blob-hash.ts'
import { shapeOfFile } from '../../shared/ipfs/file-shape.ts'
import { fileOfBlob } from '../../shared/ipfs/leaves.ts'
import { blobKey } from '../../shared/layout/keys.ts'
import type { DigestAlgorithm } from '../../shared/protocol/digest.ts'
import { createMemoryBucket } from '../support/bucket/memory-bucket.ts'

const mib = 1024 * 1024

async function storedBlob(algorithm: DigestAlgorithm, sizeBytes: number) {
  const bytes = new Uint8Array(randomBytes(sizeBytes))
  const hash = startBlobHash(nodeHasher, algorithm, true)
  hash.update(bytes)
  const bucket = createMemoryBucket()
  const digest = await hash.digest()
  await bucket.write(blobKey(digest), bytes, unhurried)
  return { bucket, hash, digest }
}

test.each([
  ['sha512', 0],
  ['sha512', 1000],
  ['sha256', mib],
  ['sha256', mib + 1],
  ['sha256', 8 * mib],
  ['sha256', 8 * mib + 1],
  ['sha512', 16 * mib],
  ['sha256', 17 * mib + 5],
] as const)(
  'a stored blob of %s and %i bytes is read once, and has the name it would have had',
  async (algorithm, sizeBytes) => {
    const { bucket, hash, digest } = await storedBlob(algorithm, sizeBytes)
    const { cid, dagSizeBytes } = await shapeOfFile(sizeBytes, await hash.leaves())
    expect(await fileOfBlob(bucket, digest, sizeBytes, unhurried)).toMatchObject({ cid, dagSizeBytes })
    const open = vi.spyOn(bucket, 'open')
    expect(await fileOfBlob(bucket, digest, sizeBytes, unhurried)).toMatchObject({ cid, dagSizeBytes })
    expect(open).not.toHaveBeenCalled()
  },
)

test('a stored blob that is shorter than it was has no name', async () => {
  const { bucket, digest } = await storedBlob('sha256', 9 * mib)
  await expect(fileOfBlob(bucket, digest, 9 * mib + 1, unhurried)).rejects.toThrow('was cut short')
})
