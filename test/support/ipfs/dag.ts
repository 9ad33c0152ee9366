// Real UnixFS DAGs in memory, in the layouts that others make as well. Made and read by the libraries, not by our own code.

import { type AddFileOptions, unixfs } from '@helia/unixfs'
import { decode } from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import { CID } from 'multiformats/cid'
import { code as rawCode } from 'multiformats/codecs/raw'
import { sha256 } from 'multiformats/hashes/sha2'
import { cidText } from '../../../shared/ipfs/cid.ts'
import type { BlockReader } from '../../../shared/ports/block-source.ts'
import type { Block } from '../../../shared/ports/content-store.ts'
import type { Cid } from '../../../shared/protocol/cid.ts'

/** Blocks by the canonical text of their CIDs, in the order in which they were made. */
export type Blocks = Map<Cid, Uint8Array>

/** A block of bytes as they are. */
export async function rawBlock(bytes: Uint8Array): Promise<Block> {
  return { cid: cidText(CID.createV1(rawCode, await sha256.digest(bytes))), bytes }
}

/** A file with 1 MiB raw leaves and CIDv1. */
export async function makeFile(bytes: Uint8Array): Promise<{ readonly root: Cid; readonly blocks: readonly Block[] }> {
  const blocks: Blocks = new Map()
  const root = await addFile(blocks, bytes)
  return { root, blocks: Array.from(blocks, ([cid, bytes]) => ({ cid, bytes })) }
}

/** Adds a file to `blocks`. Without options it has 1 MiB raw leaves and CIDv1. */
export async function addFile(blocks: Blocks, bytes: Uint8Array, options: AddFileOptions = {}): Promise<Cid> {
  return cidText(await unixfsInto(blocks).addBytes(bytes, options))
}

/** Adds a directory of files to `blocks`. */
export async function addDirectory(
  blocks: Blocks,
  files: Readonly<Record<string, Uint8Array>>,
  options: AddFileOptions & { readonly shardSplitThresholdBytes?: number } = {},
): Promise<Cid> {
  const source = Object.entries(files).map(([path, content]) => ({ path, content }))
  let root: CID | undefined
  for await (const { cid } of unixfsInto(blocks).addAll(source, { ...options, wrapWithDirectory: true })) root = cid
  if (root === undefined) throw new Error('nothing was added')
  return cidText(root)
}

/** A file's content, read block by block; the children of a node all at once. */
export async function readUnixfsFile(reader: BlockReader, cid: Cid, signal: AbortSignal): Promise<Uint8Array> {
  const bytes = await reader.block(cid, { signal })
  if (bytes === undefined) throw new Error(`${cid} was not found`)
  if (CID.parse(cid).code === rawCode) return bytes
  const { Links, Data } = decode(bytes)
  const parts = await Promise.all(Links.map(({ Hash }) => readUnixfsFile(reader, cidText(Hash), signal)))
  const own = Data === undefined ? undefined : UnixFS.unmarshal(Data).data
  return Buffer.concat(own === undefined ? parts : [own, ...parts])
}

function unixfsInto(blocks: Blocks) {
  return unixfs({
    blockstore: {
      async put(cid: CID, bytes: Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>) {
        if (!(bytes instanceof Uint8Array)) throw new Error('the importer gives whole blocks')
        blocks.set(cidText(cid), bytes.slice())
        return cid
      },
      async *get(cid: CID) {
        const bytes = blocks.get(cidText(cid))
        if (bytes === undefined) throw new Error(`${cid.toString()} was not added`)
        yield bytes
      },
      has: async (cid: CID) => blocks.has(cidText(cid)),
    },
  })
}

type Layout = NonNullable<AddFileOptions['layout']>
type Part = Awaited<ReturnType<Parameters<Layout>[1]>>

/** Cuts a file into chunks of one size. */
export function fixedSize(sizeBytes: number): NonNullable<AddFileOptions['chunker']> {
  return async function* chunks(source) {
    for await (const bytes of source)
      for (let at = 0; at < bytes.byteLength; at += sizeBytes) yield bytes.subarray(at, at + sizeBytes)
  }
}

/** Nodes of `width` children, level by level. */
export function balanced(width: number): Layout {
  return async (source, reduce) => {
    let parts = await collect(source)
    while (parts.length > 1) {
      const above: Part[] = []
      for (let at = 0; at < parts.length; at += width) above.push(await reduce(parts.slice(at, at + width)))
      parts = above
    }
    const [root] = parts
    return root ?? reduce([])
  }
}

/** The first `width` leaves directly under the root, then ever deeper trees of the same kind, four of each depth. */
export function trickle(width: number): Layout {
  return async (source, reduce) => {
    const leaves = await collect(source)
    const tree = async (depthLimit: number): Promise<Part> => {
      const children = leaves.splice(0, width)
      for (let depth = 1; depth < depthLimit && leaves.length > 0; depth += 1)
        for (let repeat = 0; repeat < 4 && leaves.length > 0; repeat += 1) children.push(await tree(depth))
      return reduce(children)
    }
    return tree(Number.POSITIVE_INFINITY)
  }
}

/** All that comes, in its order. */
export async function collect<Item>(source: AsyncIterable<Item> | Iterable<Item>): Promise<Item[]> {
  const items: Item[] = []
  for await (const item of source) items.push(item)
  return items
}
