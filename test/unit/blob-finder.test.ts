// What an edge remembers of blobs: only those that are wholly there, each under its name, for a minute at most.

import { beforeEach, describe, expect, test } from 'vitest'
import { type BlobFinder, createBlobFinder } from '../../shared/edge/blob-finder.ts'
import { blobKey, layerLinkKey, linkContent } from '../../shared/layout/keys.ts'
import type { BucketReader, Wait } from '../../shared/ports/bucket.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts'
import { createMemoryBucket, type Objects } from '../support/bucket/memory-bucket.ts'
import { repository, sha256 } from '../support/arbitraries.ts'

const wait: Wait = { signal: new AbortController().signal }
const name = repository('library/alpine')
const other = repository('library/other')
const content = new TextEncoder().encode('a layer')
const digest = sha256(content)
const there = { linked: true, sizeBytes: content.byteLength }

const noViews = { find: async () => undefined }
const everything = { anonymous: 'push', delete: true } as const

let objects: Objects
let looks: string[]
let clock: FakeClock
let finder: BlobFinder
let broken: boolean

beforeEach(() => {
  objects = new Map([
    [blobKey(digest), content],
    [layerLinkKey(name, digest), linkContent(digest)],
  ])
  looks = []
  broken = false
  clock = createFakeClock()
  const bucket = createMemoryBucket(objects)
  const watched: BucketReader = {
    ...bucket,
    async head(key, wait) {
      looks.push(key)
      if (broken) throw new UpstreamError('bucket', 'broken by the test')
      return bucket.head(key, wait)
    },
  }
  finder = createBlobFinder({ bucket: watched, access: everything, views: noViews, clock })
})

describe('a blob that is wholly there', () => {
  test('costs two looks into the bucket, and then none', async () => {
    expect(await finder.find(name, digest, wait)).toEqual(there)
    expect(looks).toHaveLength(2)
    expect(await finder.find(name, digest, wait)).toEqual(there)
    expect(looks).toHaveLength(2)
  })

  test('is remembered while the bucket is in error', async () => {
    await finder.find(name, digest, wait)
    broken = true
    expect(await finder.find(name, digest, wait)).toEqual(there)
  })

  test('and then deleted is seen to be gone after a minute, not counted from the last time it was asked for', async () => {
    await finder.find(name, digest, wait)
    objects.clear()
    clock.advance(59_999)
    expect(await finder.find(name, digest, wait)).toEqual(there)
    clock.advance(2)
    expect(await finder.find(name, digest, wait)).toEqual({ linked: false, sizeBytes: undefined })
  })

  test('in one repository says nothing of another', async () => {
    await finder.find(name, digest, wait)
    expect(await finder.find(other, digest, wait)).toEqual({ linked: false, sizeBytes: content.byteLength })
  })
})

describe('a blob that is not', () => {
  test.each([
    ['linked', layerLinkKey(name, digest)],
    ['there', blobKey(digest)],
  ] as const)('%s is looked for again, and seen as soon as it is pushed', async (_, missing) => {
    const bytes = objects.get(missing) ?? new Uint8Array()
    objects.delete(missing)
    expect(await finder.find(name, digest, wait)).not.toEqual(there)
    objects.set(missing, bytes)
    expect(await finder.find(name, digest, wait)).toEqual(there)
  })

  test('told of because the bucket failed is an error, and is not remembered', async () => {
    broken = true
    await expect(finder.find(name, digest, wait)).rejects.toBeInstanceOf(UpstreamError)
    broken = false
    expect(await finder.find(name, digest, wait)).toEqual(there)
  })
})

test('an empty blob is there and is remembered', async () => {
  const empty = sha256('')
  objects.set(blobKey(empty), new Uint8Array())
  objects.set(layerLinkKey(name, empty), linkContent(empty))
  expect(await finder.find(name, empty, wait)).toEqual({ linked: true, sizeBytes: 0 })
  await finder.find(name, empty, wait)
  expect(looks).toHaveLength(2)
})

test('the memory is bounded: after 20,000 others a blob is looked for again', async () => {
  const blobs = Array.from({ length: 20_001 }, (_, at) => sha256(`blob ${at}`))
  for (const each of blobs) {
    objects.set(blobKey(each), content)
    objects.set(layerLinkKey(name, each), content)
    await finder.find(name, each, wait)
  }
  looks.length = 0
  await finder.find(name, blobs.at(-1) ?? digest, wait)
  expect(looks).toHaveLength(0)
  await finder.find(name, blobs[0] ?? digest, wait)
  expect(looks).toHaveLength(2)
})
