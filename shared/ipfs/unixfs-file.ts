// The bytes of a UnixFS file, in order, from blocks that are already verified: a few are asked for ahead, and no more
// before those were taken. (The reader of @helia/unixfs takes a whole file into memory where its consumer is slow.)

import type { Cid } from '../protocol/cid.ts'
import { UnusableContent } from './content-errors.ts'
import { decodeUnixfs, type UnixfsNode } from './unixfs-node.ts'
import { parseBlockName } from './verify-block.ts'

/** A block's bytes, verified. */
export type GetBlock = (cid: Cid) => Promise<Uint8Array>

export interface OpenedFile {
  readonly sizeBytes: number
  /** Every chunk belongs to its consumer; together they are as long as `sizeBytes`, or the last call throws. */
  readonly chunks: AsyncGenerator<Uint8Array, void, undefined>
}

/** Blocks that are asked for before they are needed. */
const readAhead = 8

/** Nodes on a way from the root to a leaf, without the root: enough for any file in any usual layout. */
const depthLimit = 8

/** A file may be cut as small as it likes while it is small; a large one of tiny blocks would be an attack on whoever reads it. */
const blockAllowance = (sizeBytes: number) => 1000 + sizeBytes / 1024

/** A part of the file that is still to be read. */
interface Part {
  readonly cid: Cid
  readonly isRaw: boolean
  readonly sizeBytes: number
  readonly depth: number
  /** Defined once it was asked for. */
  asked: SharedBlock | undefined
}

/** A block that was asked for, perhaps for several parts at once: zeros are the same everywhere. */
interface SharedBlock {
  readonly bytes: Promise<Uint8Array>
  uses: number
}

/**
 * Begins to read a file. Rejects with UnusableContent where the CID names no file, or one of more than `maxBytes`, and
 * with what `get` rejects with; so do the chunks where the parts are not as the nodes above them say.
 */
export async function openUnixfsFile(cid: Cid, maxBytes: number, get: GetBlock): Promise<OpenedFile> {
  const root = readPart(cid, undefined, await get(cid))
  if (root.sizeBytes > maxBytes) throw new UnusableContent(cid, `the file has more than ${maxBytes} bytes`)
  return { sizeBytes: root.sizeBytes, chunks: walk(cid, root, get) }
}

async function* walk(rootCid: Cid, root: UnixfsNode, get: GetBlock): AsyncGenerator<Uint8Array, void, undefined> {
  if (root.data.byteLength > 0) yield root.data
  /** What is still to be read, the next part last. */
  const parts = childrenOf(root, 0)
  const near = new Map<Cid, SharedBlock>()
  let ahead = 0
  let largestLeafBytes = 0
  let blocksLeft = blockAllowance(root.sizeBytes)

  function ask(part: Part): SharedBlock {
    const shared = near.get(part.cid) ?? { bytes: get(part.cid), uses: 0 }
    shared.bytes.catch(() => {}) // Whoever comes to this part hears of it; a read that ends before does not.
    shared.uses += 1
    near.delete(part.cid)
    near.set(part.cid, shared)
    for (const [oldest] of near) {
      if (near.size <= readAhead) break
      near.delete(oldest)
    }
    return shared
  }

  /** What comes next is below it then, and a source that streams sends that first. */
  const mayBeNode = ({ isRaw, sizeBytes }: Part) => !isRaw && sizeBytes > largestLeafBytes

  function askAhead(): void {
    for (let at = parts.length - 1; at >= 0 && ahead < readAhead; at -= 1) {
      const part = parts[at]
      if (part === undefined) return
      if (part.asked === undefined) {
        part.asked = ask(part)
        ahead += 1
      }
      if (mayBeNode(part)) return
    }
  }

  for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
    if (part.asked === undefined) part.asked = ask(part)
    else ahead -= 1
    if (!mayBeNode(part)) askAhead()
    blocksLeft -= 1
    if (blocksLeft < 0) throw new UnusableContent(rootCid, 'the file is cut into too many blocks')
    const shared = part.asked
    const node = readPart(part.cid, part.sizeBytes, await shared.bytes)
    if (node.links.length > 0 && part.depth === depthLimit)
      throw new UnusableContent(rootCid, `the file is more than ${depthLimit} levels deep`)
    if (node.links.length === 0) largestLeafBytes = Math.max(largestLeafBytes, node.sizeBytes)
    for (const child of childrenOf(node, part.depth)) parts.push(child)
    askAhead()
    if (node.data.byteLength === 0) continue
    // A consumer may give the memory of a chunk away.
    if (shared.uses === 1) near.delete(part.cid)
    yield shared.uses === 1 ? node.data : node.data.slice()
  }
}

/** A node's children, the first one last. Parts without bytes are left out: nothing of the file is below them. */
function childrenOf(node: UnixfsNode, depth: number): Part[] {
  return node.links
    .filter(({ sizeBytes }) => sizeBytes > 0)
    .map(({ cid, isRaw, sizeBytes }) => ({ cid, isRaw, sizeBytes, depth: depth + 1, asked: undefined }))
    .toReversed()
}

/** @throws UnusableContent where the block is no part of a file, or not of the size that the node above it says */
function readPart(cid: Cid, sizeBytes: number | undefined, bytes: Uint8Array): UnixfsNode {
  const node = parseBlockName(cid).codec === 'raw' ? leaf(bytes) : decodeFileNode(cid, bytes)
  if (node.kind !== 'file') throw new UnusableContent(cid, 'it is no file')
  if (sizeBytes !== undefined && node.sizeBytes !== sizeBytes)
    throw new UnusableContent(
      cid,
      `this part of a file has ${node.sizeBytes} bytes, not ${sizeBytes} as the node above it says`,
    )
  return node
}

function leaf(data: Uint8Array): UnixfsNode {
  return { kind: 'file', data, sizeBytes: data.byteLength, links: [], fanOut: 0 }
}

function decodeFileNode(cid: Cid, bytes: Uint8Array): UnixfsNode {
  try {
    return decodeUnixfs(bytes)
  } catch (error) {
    throw new UnusableContent(cid, `it is no UnixFS file: ${error instanceof Error ? error.message : String(error)}`)
  }
}
