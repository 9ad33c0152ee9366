// Real UnixFS DAGs in memory, in the layouts that others make as well.

import { createHash } from 'node:crypto'
import { type AddFileOptions, unixfs } from '@helia/unixfs'
import type { CID } from 'multiformats/cid'
import { cidText } from '../../shared/ipfs/cid.ts'
import type { Cid } from '../../shared/protocol/cid.ts'

/** Blocks by the canonical text of their CIDs, in the order in which they were made. */
export type Blocks = Map<Cid, Uint8Array>

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

/** Bytes that look random and are the same every time. Lengths that differ have the same beginning. */
export function someBytes(sizeBytes: number, seed = 1): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(sizeBytes / 4))
  let state = seed
  for (let at = 0; at < words.length; at += 1) {
    // xorshift: the smallest generator whose blocks all differ.
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[at] = state
  }
  return new Uint8Array(words.buffer, 0, sizeBytes)
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

/** For comparing: Vitest takes seconds over a large array. */
export function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
