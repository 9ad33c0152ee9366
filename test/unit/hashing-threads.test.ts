// Files that are hashed in threads while they are written: the same as if their bytes had been hashed on their way.

import { randomBytes } from 'node:crypto'
import { appendFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createHashingThreads } from '../../origin/upload/hashing-threads.ts'
import { nodeHasher } from '../../origin/upload/node-hasher.ts'
import { startBlobHash } from '../../shared/ipfs/blob-hash.ts'
import type { BlobHash } from '../../shared/ports/hasher.ts'
import type { DigestAlgorithm } from '../../shared/protocol/digest.ts'
import { temporaryFolder } from '../support/stack.ts'

const mib = 1024 * 1024
const threads = createHashingThreads()
let folder: { path: string; remove: () => Promise<void> }

beforeAll(async () => {
  folder = await temporaryFolder()
})

afterAll(() => folder.remove())

/** The hash of a file by a thread, and the one that it should be. */
function bothWays(path: string, algorithm: DigestAlgorithm = 'sha256', withLeaves = true): [BlobHash, BlobHash] {
  return [threads.follow({ path, algorithm, withLeaves }), startBlobHash(nodeHasher, algorithm, withLeaves)]
}

/** Adds bytes to a file, and tells of them in chunks like those of a connection. */
async function add(path: string, bytes: Uint8Array, ...hashes: BlobHash[]): Promise<void> {
  await appendFile(path, bytes)
  for (let at = 0; at < bytes.byteLength; at += 64 * 1024)
    for (const hash of hashes) hash.update(bytes.subarray(at, at + 64 * 1024))
}

async function results(hash: BlobHash) {
  return { digest: await hash.digest(), leaves: await hash.leaves() }
}

test.each([
  ['sha256', 0],
  ['sha256', 1],
  ['sha256', mib],
  ['sha256', mib + 1],
  ['sha512', mib],
  ['sha512', 4 * mib],
  ['sha512', 4 * mib + 1],
  ['sha256', 17 * mib + 5],
] as const)('%s of a file of %i bytes', async (algorithm, sizeBytes) => {
  const path = join(folder.path, `${algorithm}-${sizeBytes}`)
  const [followed, expected] = bothWays(path, algorithm)
  await add(path, randomBytes(sizeBytes), followed, expected)
  expect(await results(followed)).toEqual(await results(expected))
  followed.end()
})

test('a file may grow on after it was asked for', async () => {
  const path = join(folder.path, 'growing')
  const [followed, expected] = bothWays(path)
  for (const sizeBytes of [100, mib, 3 * mib, 5, 2 * mib]) {
    await add(path, randomBytes(sizeBytes), followed, expected)
    expect(await results(followed)).toEqual(await results(expected))
  }
  followed.end()
})

test('many files at once are told apart', async () => {
  const files = Array.from({ length: 20 }, (_, at) => ({
    path: join(folder.path, `one-of-many-${at}`),
    bytes: randomBytes(2 * mib + at),
  }))
  await Promise.all(
    files.map(async ({ path, bytes }) => {
      const [followed, expected] = bothWays(path)
      await add(path, bytes, followed, expected)
      expect(await results(followed)).toEqual(await results(expected))
      followed.end()
    }),
  )
})

test('leaves that nobody wanted are not hashed', async () => {
  const path = join(folder.path, 'without-leaves')
  const [followed, expected] = bothWays(path, 'sha256', false)
  await add(path, randomBytes(3 * mib), followed, expected)
  expect(await followed.digest()).toBe(await expected.digest())
  await expect(followed.leaves()).rejects.toThrow('not hashed')
  followed.end()
})

test('nothing is told of a file that nobody follows any more', async () => {
  const path = join(folder.path, 'ended')
  const followed = threads.follow({ path, algorithm: 'sha256', withLeaves: true })
  await add(path, randomBytes(3 * mib), followed)
  followed.end()
  await add(path, randomBytes(mib), followed)
  await expect(followed.digest()).rejects.toThrow('nobody follows')
  await expect(followed.leaves()).rejects.toThrow('nobody follows')
})

test('a file that was cut short, or is gone, has no digest, and others have theirs', async () => {
  const [cut, gone] = [join(folder.path, 'cut'), join(folder.path, 'gone')]
  const bytes = randomBytes(3 * mib)
  await writeFile(cut, bytes)
  await truncate(cut, 2 * mib)
  const [ofCut, ofGone] = [cut, gone].map((path) => threads.follow({ path, algorithm: 'sha256', withLeaves: true }))
  for (const hash of [ofCut, ofGone]) hash?.update(bytes)
  await expect(ofCut?.digest()).rejects.toThrow(`has only ${2 * mib} of its ${3 * mib} bytes`)
  await expect(ofGone?.leaves()).rejects.toThrow('ENOENT')
  // Nor once it is there: what was read before may be of another file.
  await writeFile(gone, bytes)
  ofGone?.update(new Uint8Array(0))
  await expect(ofGone?.digest()).rejects.toThrow('ENOENT')
  const [path, expected] = [join(folder.path, 'whole'), startBlobHash(nodeHasher, 'sha256', true)]
  const followed = threads.follow({ path, algorithm: 'sha256', withLeaves: true })
  await add(path, bytes, followed, expected)
  expect(await results(followed)).toEqual(await results(expected))
})
