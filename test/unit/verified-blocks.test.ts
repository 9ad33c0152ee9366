// Reads of IPFS by CID: layouts that others make, sources that fail in every way a port can, and content that is refused.

import { type AddFileOptions } from '@helia/unixfs'
import { encode } from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import { CID } from 'multiformats/cid'
import { identity } from 'multiformats/hashes/identity'
import * as raw from 'multiformats/codecs/raw'
import { sha256, sha512 } from 'multiformats/hashes/sha2'
import { describe, expect, test } from 'vitest'
import { NotFoundOnIpfs, UnusableContent } from '../../shared/ipfs/content-errors.ts'
import { createVerifiedReader } from '../../shared/ipfs/verified-blocks.ts'
import { cidText } from '../../shared/ipfs/cid.ts'
import type { BlockSource } from '../../shared/ports/block-source.ts'
import type { Cid } from '../../shared/protocol/cid.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { addDirectory, addFile, balanced, type Blocks, collect, fixedSize, trickle } from '../support/dag.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { randomBytes, sha256 as digestOf } from '../support/image.ts'
import { createRecordingLog } from '../support/recording-log.ts'
import { silentLog } from '../support/silent-log.ts'

const wait = { signal: new AbortController().signal }

interface MemorySource extends BlockSource {
  readonly asked: Cid[]
  readonly open: BlockSource['open']
  opened: number
  closed: number
}

type Answer = (cid: Cid, signal: AbortSignal) => Promise<Uint8Array | undefined>

function sourceOf(name: string, answer: Answer): MemorySource {
  const source: MemorySource = {
    name,
    asked: [],
    opened: 0,
    closed: 0,
    open() {
      source.opened += 1
      return {
        block(cid, { signal }) {
          source.asked.push(cid)
          return answer(cid, signal)
        },
        close: () => void (source.closed += 1),
      }
    },
  }
  return source
}

const honest = (blocks: Blocks, name = 'honest') => sourceOf(name, async (cid) => blocks.get(cid))
const empty = (name = 'empty') => sourceOf(name, async () => undefined)
const broken = (name = 'broken') =>
  sourceOf(name, async () => {
    throw new UpstreamError('ipfs', 'refused')
  })
const lying = (blocks: Blocks, name = 'liar') =>
  sourceOf(name, async (cid) => blocks.get(cid)?.map((byte, at) => (at === 0 ? byte ^ 1 : byte)))

function readerOf(...sources: BlockSource[]) {
  return createVerifiedReader({ sources, clock: createFakeClock(), log: silentLog })
}

async function bytesOf(body: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  return new Uint8Array(await new Response(body as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer())
}

async function readFile(cid: Cid, ...sources: BlockSource[]): Promise<Uint8Array> {
  const { sizeBytes, body } = await readerOf(...sources).file({ top: cid, cid, maxBytes: 1e9 }, wait)
  const bytes = await bytesOf(body)
  expect(bytes.byteLength).toBe(sizeBytes)
  return bytes
}

/** `bytes` under `cid` and nothing else. */
async function named(bytes: Uint8Array, code: number = 0x70): Promise<{ blocks: Blocks; cid: Cid }> {
  const cid = cidText(CID.createV1(code, await sha256.digest(bytes)))
  return { blocks: new Map([[cid, bytes]]), cid }
}

/** A file node over other blocks, with the sizes it is given. */
async function fileNode(blocks: Blocks, children: readonly (readonly [Cid, number])[]): Promise<Cid> {
  const unixfs = new UnixFS({ type: 'file', blockSizes: children.map(([, size]) => BigInt(size)) })
  const Links = children.map(([cid]) => ({ Hash: CID.parse(cid), Name: '', Tsize: 0 }))
  const node = await named(encode({ Data: unixfs.marshal(), Links }))
  for (const [cid, bytes] of node.blocks) blocks.set(cid, bytes)
  return node.cid
}

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

describe('several sources', () => {
  const blocks: Blocks = new Map()
  const content = randomBytes(1, 100_500)
  const added = addFile(blocks, content, { chunker: fixedSize(1000), layout: balanced(10) })

  test.each([
    ['one that has nothing', () => empty()],
    ['one that fails', () => broken()],
    ['one that lies', () => lying(blocks)],
    [
      'one that lies about one block',
      () => sourceOf('liar', async (cid) => ([...blocks.keys()][50] === cid ? randomBytes(1, 1000) : blocks.get(cid))),
    ],
    [
      'one that fails in the middle',
      () => {
        let left = 60
        return sourceOf('tired', async (cid) => {
          left -= 1
          if (left < 0) throw new UpstreamError('ipfs', 'reset')
          return blocks.get(cid)
        })
      },
    ],
    [
      'one that lacks every second block',
      () => {
        const some = new Map([...blocks].filter((_, at) => at % 2 === 0))
        return honest(some, 'half')
      },
    ],
    ['one whose blocks are too large', () => sourceOf('large', async () => new Uint8Array(3 * 1024 * 1024))],
  ] as const)('%s and then an honest one: the file comes out right, and both are closed', async (_, first) => {
    const cid = await added
    const sources = [first(), honest(blocks)]
    expect(digestOf(await readFile(cid, ...sources))).toBe(digestOf(content))
    for (const { opened, closed } of sources) expect([opened, closed]).toEqual([1, 1])
  })

  test('a source that is never needed is never opened', async () => {
    const second = honest(blocks)
    await readFile(await added, honest(blocks), second)
    expect(second.opened).toBe(0)
  })

  test('a source that said no is asked last from then on, since its next no may take as long', async () => {
    const first = empty()
    await readFile(await added, first, honest(blocks))
    expect(first.asked).toHaveLength(1)
  })

  test('a liar is named once, with the block, and is not asked again', async () => {
    const cid = await added
    const log = createRecordingLog()
    const liar = lying(blocks)
    const reader = createVerifiedReader({ sources: [liar, honest(blocks)], clock: createFakeClock(), log })
    await bytesOf((await reader.file({ top: cid, cid, maxBytes: 1e9 }, wait)).body)
    expect(log.lines).toEqual([
      {
        level: 'warn',
        message: 'a source of IPFS sent wrong bytes',
        fields: { source: 'liar', cid },
        error: undefined,
      },
    ])
    expect(liar.asked).toEqual([cid])
  })

  test.each([
    ['no source at all', [], NotFoundOnIpfs],
    ['two that have nothing', [empty('one'), empty('two')], NotFoundOnIpfs],
    ['one that fails', [broken()], UpstreamError],
    ['one that has nothing and one that fails', [empty(), broken()], UpstreamError],
    ['one that fails and one that has nothing', [broken(), empty()], UpstreamError],
    ['one that lies', [lying(blocks)], UpstreamError],
  ] as const)('%s: the error says whether all of them answered', async (_, sources, kind) => {
    await expect(readFile(await added, ...sources)).rejects.toBeInstanceOf(kind)
  })

  test('what nobody has says how long it was looked for', async () => {
    const clock = createFakeClock()
    const slow = sourceOf('slow', async () => {
      clock.advance(1234)
      return undefined
    })
    const cid = await added
    const dag = createVerifiedReader({ sources: [slow, slow], clock, log: silentLog }).open(cid, wait)
    await expect(dag.block(cid, wait)).rejects.toMatchObject({ name: 'NotFoundOnIpfs', cid, waitedMs: 2468 })
  })
})

describe('a read that ends early', () => {
  const blocks: Blocks = new Map()
  const added = addFile(blocks, randomBytes(1, 100_500), { chunker: fixedSize(1000) })
  /** Gives the file's root, and is then silent until the signal. */
  const silentBelow = (root: Cid, signals: AbortSignal[]) =>
    sourceOf('silent', async (cid, signal) => {
      if (cid === root) return blocks.get(cid)
      signals.push(signal)
      return new Promise(() => {}) // Does not heed the signal either.
    })

  test('an aborted signal is what the body ends with, and what the source hears', async () => {
    const [cid, signals, controller, reason] = [
      await added,
      [] as AbortSignal[],
      new AbortController(),
      new Error('left'),
    ]
    const source = silentBelow(cid, signals)
    const { body } = await readerOf(source).file({ top: cid, cid, maxBytes: 1e9 }, controller)
    const ended = bytesOf(body)
    await expect.poll(() => signals.length).toBeGreaterThan(0)
    controller.abort(reason)
    await expect(ended).rejects.toBe(reason)
    expect(signals.every(({ aborted }) => aborted)).toBe(true)
    expect(source.closed).toBe(1)
  })

  test('a cancelled body aborts what was asked for and closes the source', async () => {
    const [cid, signals] = [await added, [] as AbortSignal[]]
    const source = silentBelow(cid, signals)
    const { body } = await readerOf(source).file({ top: cid, cid, maxBytes: 1e9 }, wait)
    const reader = body.getReader()
    const first = reader.read()
    await expect.poll(() => signals.length).toBeGreaterThan(0)
    await reader.cancel()
    expect(await first).toEqual({ value: undefined, done: true })
    expect(signals.every(({ aborted }) => aborted)).toBe(true)
    expect(source.closed).toBe(1)
  })

  test('a signal that is already aborted asks nobody', async () => {
    const source = honest(blocks)
    const cid = await added
    const signal = AbortSignal.abort(new Error('too late'))
    await expect(readerOf(source).file({ top: cid, cid, maxBytes: 1e9 }, { signal })).rejects.toThrow('too late')
    expect(source.opened).toBe(0)
  })

  test('nothing is asked for before the body is read, and then a few blocks ahead', async () => {
    const source = honest(blocks)
    const cid = await added
    const { body } = await readerOf(source).file({ top: cid, cid, maxBytes: 1e9 }, wait)
    expect(source.asked).toHaveLength(1)
    const reader = body.getReader()
    await reader.read()
    await reader.read()
    await new Promise((resolve) => setImmediate(resolve))
    expect(source.asked.length).toBeGreaterThan(4)
    expect(source.asked.length).toBeLessThanOrEqual(1 + 2 + 8)
    await reader.cancel()
  })
})

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
