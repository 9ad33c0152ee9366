// Content of IPFS that is refused, and blocks of other kinds than most.

import { encode } from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import { CID } from 'multiformats/cid'
import { identity } from 'multiformats/hashes/identity'
import * as raw from 'multiformats/codecs/raw'
import { sha256, sha512 } from 'multiformats/hashes/sha2'
import { describe, expect, test } from 'vitest'
import { UnusableContent } from '../../shared/ipfs/content-errors.ts'
import { cidText } from '../../shared/ipfs/cid.ts'
import type { Cid } from '../../shared/protocol/cid.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { addFile, type Blocks, collect, fixedSize } from '../support/ipfs/dag.ts'
import { randomBytes } from '../support/image.ts'
import { fileNode, honest, lying, named, readerOf, readFile, sourceOf, wait } from '../support/ipfs/memory-sources.ts'

describe('content that is refused', () => {
  const leaf = randomBytes(1, 1000)

  async function leafBlocks(): Promise<[Blocks, Cid]> {
    const { blocks, cid } = await named(leaf, raw.code)
    return [blocks, cid]
  }

  test('a file over the limit, by what its node says and before anything is read of it', async () => {
    const blocks: Blocks = new Map()
    const cid = await addFile(blocks, randomBytes(1, 5000), { chunker: fixedSize(1000) })
    const source = honest(blocks)
    await expect(readerOf(source).file({ top: cid, cid, maxBytes: 4999 }, wait)).rejects.toBeInstanceOf(UnusableContent)
    expect([source.asked.length, source.closed]).toEqual([1, 1])
  })

  test.each([999, 1001])('a part of 1,000 bytes whose node says %d', async (claimed) => {
    const [blocks, cid] = await leafBlocks()
    const file = await fileNode(blocks, [
      [cid, 1000],
      [cid, claimed],
    ])
    await expect(readFile(file, honest(blocks))).rejects.toBeInstanceOf(UnusableContent)
  })

  test('a node whose own size is not that of its parts', async () => {
    const unixfs = new UnixFS({ type: 'file', data: leaf })
    const Data = unixfs.marshal()
    // The field `filesize`, 1000, follows the data.
    const at = Data.lastIndexOf(0x18)
    expect([...Data.subarray(at)]).toEqual([0x18, 0xe8, 0x07])
    Data[at + 1] = 0xe7
    const { blocks, cid } = await named(encode({ Data, Links: [] }))
    await expect(readFile(cid, honest(blocks))).rejects.toBeInstanceOf(UnusableContent)
  })

  test('a chain of more than eight levels, though not one of eight', async () => {
    const [blocks, bottom] = await leafBlocks()
    let cid = bottom
    for (let depth = 1; depth <= 8; depth += 1) cid = await fileNode(blocks, [[cid, 1000]])
    expect(await readFile(cid, honest(blocks))).toEqual(leaf)
    cid = await fileNode(blocks, [[cid, 1000]])
    await expect(readFile(cid, honest(blocks))).rejects.toThrow('levels deep')
  })

  test('a tree without bytes, however wide, is read no further than its root', async () => {
    const { blocks, cid: nothing } = await named(new Uint8Array(0), raw.code)
    let cid = nothing
    for (let depth = 1; depth <= 8; depth += 1)
      cid = await fileNode(
        blocks,
        Array.from({ length: 50 }, () => [cid, 0] as const),
      )
    const source = honest(blocks)
    expect(await readFile(cid, source)).toHaveLength(0)
    expect(source.asked).toHaveLength(1)
  })

  test('a large file of tiny blocks', async () => {
    const { blocks, cid: byte } = await named(new Uint8Array(1), raw.code)
    const file = await fileNode(
      blocks,
      Array.from({ length: 1100 }, () => [byte, 1] as const),
    )
    await expect(readFile(file, honest(blocks))).rejects.toThrow('too many blocks')
  })

  test('other codecs and hash functions, without asking anybody', async () => {
    const source = sourceOf('any', async () => new Uint8Array(1))
    const digest = await sha256.digest(leaf)
    const cids = [
      CID.createV1(0x71, digest),
      CID.createV1(raw.code, { ...digest, code: 0x1b, bytes: Uint8Array.from([0x1b, 32, ...digest.digest]) }),
      CID.createV1(raw.code, {
        ...digest,
        size: 4,
        digest: digest.digest.slice(0, 4),
        bytes: Uint8Array.from([0x12, 4, ...digest.digest.slice(0, 4)]),
      }),
      CID.createV1(raw.code, identity.digest(new Uint8Array(129))),
    ]
    for (const cid of cids) await expect(readFile(cidText(cid), source)).rejects.toBeInstanceOf(UnusableContent)
    expect(source.asked).toEqual([])
  })

  test('what is no UnixFS file', async () => {
    const directory = new UnixFS({ type: 'directory' }).marshal()
    const symlink = new UnixFS({ type: 'symlink', data: leaf }).marshal()
    for (const bytes of [
      leaf,
      encode({ Data: directory, Links: [] }),
      encode({ Data: symlink, Links: [] }),
      encode({ Links: [] }),
    ]) {
      const { blocks, cid } = await named(bytes)
      await expect(readFile(cid, honest(blocks))).rejects.toBeInstanceOf(UnusableContent)
    }
  })
})

describe('blocks of other kinds', () => {
  test('a CID that holds its block needs no source', async () => {
    const cid = cidText(CID.createV1(raw.code, identity.digest(randomBytes(1, 128))))
    expect(await readFile(cid)).toEqual(randomBytes(1, 128))
  })

  test('sha2-512 is checked as well', async () => {
    const bytes = randomBytes(1, 100)
    const cid = cidText(CID.createV1(raw.code, await sha512.digest(bytes)))
    const blocks: Blocks = new Map([[cid, bytes]])
    expect(await readFile(cid, honest(blocks))).toEqual(bytes)
    await expect(readFile(cid, lying(blocks))).rejects.toBeInstanceOf(UpstreamError)
  })

  test('a block over the limit is not taken, though it is the right one', async () => {
    const { blocks, cid } = await named(randomBytes(1, 2 * 1024 * 1024 + 1), raw.code)
    await expect(readFile(cid, honest(blocks))).rejects.toBeInstanceOf(UpstreamError)
    const largest = await named(randomBytes(1, 2 * 1024 * 1024), raw.code)
    expect(await readFile(largest.cid, honest(largest.blocks))).toHaveLength(2 * 1024 * 1024)
  })

  test('a run of equal blocks is asked for once, and each chunk is memory of its own', async () => {
    const blocks: Blocks = new Map()
    const cid = await addFile(blocks, new Uint8Array(50_000), { chunker: fixedSize(1000) })
    const source = honest(blocks)
    const { body } = await readerOf(source).file({ top: cid, cid, maxBytes: 1e9 }, wait)
    const chunks = await collect(body)
    expect(chunks).toHaveLength(50)
    expect(new Set(chunks.map(({ buffer }) => buffer)).size).toBe(50)
    expect(source.asked).toHaveLength(2)
  })
})
