// Reads of IPFS by CID: files and directories in the layouts that others make.

import { type AddFileOptions } from '@helia/unixfs'
import { encode } from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import { describe, expect, test } from 'vitest'
import { UnusableContent } from '../../shared/ipfs/content-errors.ts'
import { addDirectory, addFile, balanced, type Blocks, fixedSize, trickle } from '../support/ipfs/dag.ts'
import { randomBytes, sha256 as digestOf } from '../support/image.ts'
import { honest, named, readerOf, readFile, wait } from '../support/ipfs/memory-sources.ts'

describe('files in the layouts that others make', () => {
  const quarter = fixedSize(1000)
  const layouts: readonly (readonly [string, number, AddFileOptions])[] = [
    ['an empty file', 0, {}],
    ['one raw leaf', 1000, {}],
    ['the profile unixfs-v1-2025', 3_500_000, {}],
    ['CIDv0, 256 KiB chunks in dag-pb leaves', 1_500_000, { profile: 'unixfs-v0-2015' }],
    ['CIDv0, one leaf', 10, { profile: 'unixfs-v0-2015' }],
    ['dag-pb leaves under CIDv1', 20_000, { rawLeaves: false, cidVersion: 1, chunker: quarter }],
    ['raw leaves under CIDv0', 20_000, { rawLeaves: true, cidVersion: 0, chunker: quarter }],
    ['leaves of the type raw in dag-pb', 20_000, { rawLeaves: false, leafType: 'raw', chunker: quarter }],
    ['several levels', 900_500, { chunker: quarter, layout: balanced(5) }],
    ['trickle', 500_000, { chunker: quarter, layout: trickle(8), rawLeaves: false }],
    ['trickle with raw leaves', 500_000, { chunker: quarter, layout: trickle(8) }],
  ]

  test.each(layouts)('%s', async (_, sizeBytes, options) => {
    const blocks: Blocks = new Map()
    const content = randomBytes(1, sizeBytes)
    const cid = await addFile(blocks, content, options)
    expect(digestOf(await readFile(cid, honest(blocks)))).toBe(digestOf(content))
  })
})

describe('directories', () => {
  const files = Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`some/name-${at}`, randomBytes(at + 1, 20)]))

  test.each([
    ['plain', {}],
    ['sharded', { shardSplitThresholdBytes: 0 }],
    ['sharded to several levels', { shardSplitThresholdBytes: 0, shardFanoutBits: 3 }],
  ] as const)('%s: every name is listed once and read by its path', async (_, options) => {
    const blocks: Blocks = new Map()
    const root = await addDirectory(blocks, files, options)
    const dag = readerOf(honest(blocks)).open(root, wait)
    const listed = await dag.list(root, ['some'], wait)
    expect(listed?.map(({ name }) => `some/${name}`).toSorted()).toEqual(Object.keys(files).toSorted())
    for (const name of ['name-0', 'name-299'])
      expect(await dag.smallFile(root, ['some', name], 20, wait)).toEqual(files[`some/${name}`])
  })

  test('a path that is not there is undefined, wherever it ends', async () => {
    const blocks: Blocks = new Map()
    const root = await addDirectory(blocks, { 'a/file': randomBytes(1, 5) })
    const dag = readerOf(honest(blocks)).open(root, wait)
    for (const path of [['b'], ['a', 'b'], ['b', 'file'], ['a', 'file', 'b'], ['']]) {
      expect(await dag.smallFile(root, path, 5, wait)).toBeUndefined()
      expect(await dag.list(root, path, wait)).toBeUndefined()
    }
    expect(await dag.list(root, ['a', 'file'], wait)).toBeUndefined()
  })

  test('a directory is no file, and a file over its limit is refused', async () => {
    const blocks: Blocks = new Map()
    const root = await addDirectory(blocks, { 'a/file': randomBytes(1, 5) })
    const dag = readerOf(honest(blocks)).open(root, wait)
    await expect(dag.smallFile(root, ['a'], 100, wait)).rejects.toBeInstanceOf(UnusableContent)
    await expect(dag.smallFile(root, ['a', 'file'], 4, wait)).rejects.toBeInstanceOf(UnusableContent)
  })

  test('a node on the way is asked for once', async () => {
    const blocks: Blocks = new Map()
    const root = await addDirectory(blocks, { 'a/one': randomBytes(1, 5), 'a/two': randomBytes(1, 6) })
    const source = honest(blocks)
    const dag = readerOf(source).open(root, wait)
    await dag.smallFile(root, ['a', 'one'], 9, wait)
    await dag.smallFile(root, ['a', 'two'], 9, wait)
    expect(source.asked).toHaveLength(4)
  })

  test.each([
    ['a width that is none', 3n],
    ['a width of one', 1n],
    ['no width', undefined],
  ])('a shard with %s is refused', async (_, fanout) => {
    const unixfs = new UnixFS({ type: 'hamt-sharded-directory', ...(fanout !== undefined && { fanout }) })
    const { blocks, cid } = await named(encode({ Data: unixfs.marshal(), Links: [] }))
    const dag = readerOf(honest(blocks)).open(cid, wait)
    await expect(dag.list(cid, [], wait)).rejects.toBeInstanceOf(UnusableContent)
  })
})
