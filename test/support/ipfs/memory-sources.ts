// Sources of blocks in memory, honest and not, what is read from them, and blocks that no library would make.

import { encode } from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import { CID } from 'multiformats/cid'
import { sha256 } from 'multiformats/hashes/sha2'
import { expect } from 'vitest'
import { createVerifiedReader } from '../../../shared/ipfs/verified-blocks.ts'
import { cidText } from '../../../shared/ipfs/cid.ts'
import type { BlockSource } from '../../../shared/ports/block-source.ts'
import type { Wait } from '../../../shared/ports/bucket.ts'
import type { Cid } from '../../../shared/protocol/cid.ts'
import { UpstreamError } from '../../../shared/protocol/errors.ts'
import { type Blocks } from './dag.ts'
import { createFakeClock } from '../fake-clock.ts'
import { silentLog } from '../silent-log.ts'

export const wait: Wait = { signal: new AbortController().signal }

/** Counts what is done with it. */
interface MemorySource extends BlockSource {
  readonly asked: Cid[]
  readonly open: BlockSource['open']
  opened: number
  closed: number
}

/** What it does when it is asked for a block. */
type Answer = (cid: Cid, signal: AbortSignal) => Promise<Uint8Array | undefined>

export function sourceOf(name: string, answer: Answer): MemorySource {
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

export const honest = (blocks: Blocks, name = 'honest') => sourceOf(name, async (cid) => blocks.get(cid))

export const empty = (name = 'empty') => sourceOf(name, async () => undefined)

/** Fails whatever it is asked for. */
export const broken = (name = 'broken') =>
  sourceOf(name, async () => {
    throw new UpstreamError('ipfs', 'refused')
  })

/** Has the blocks, each with one bit that is wrong. */
export const lying = (blocks: Blocks, name = 'liar') =>
  sourceOf(name, async (cid) => blocks.get(cid)?.map((byte, at) => (at === 0 ? byte ^ 1 : byte)))

export function readerOf(...sources: BlockSource[]) {
  return createVerifiedReader({ sources, clock: createFakeClock(), log: silentLog })
}

export async function bytesOf(body: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  return new Uint8Array(await new Response(body as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer())
}

/** A whole file, as long as was said before. */
export async function readFile(cid: Cid, ...sources: BlockSource[]): Promise<Uint8Array> {
  const { sizeBytes, body } = await readerOf(...sources).file({ top: cid, cid, maxBytes: 1e9 }, wait)
  const bytes = await bytesOf(body)
  expect(bytes.byteLength).toBe(sizeBytes)
  return bytes
}

/** `bytes` under `cid` and nothing else. */
export async function named(bytes: Uint8Array, code: number = 0x70): Promise<{ blocks: Blocks; cid: Cid }> {
  const cid = cidText(CID.createV1(code, await sha256.digest(bytes)))
  return { blocks: new Map([[cid, bytes]]), cid }
}

/** A file node over other blocks, with the sizes it is given. */
export async function fileNode(blocks: Blocks, children: readonly (readonly [Cid, number])[]): Promise<Cid> {
  const unixfs = new UnixFS({ type: 'file', blockSizes: children.map(([, size]) => BigInt(size)) })
  const Links = children.map(([cid]) => ({ Hash: CID.parse(cid), Name: '', Tsize: 0 }))
  const node = await named(encode({ Data: unixfs.marshal(), Links }))
  for (const [cid, bytes] of node.blocks) blocks.set(cid, bytes)
  return node.cid
}
