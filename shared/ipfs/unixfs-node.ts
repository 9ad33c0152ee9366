// One node of a UnixFS DAG, as its block says.

import { Node } from 'ipfs-unixfs'
import { CID } from 'multiformats/cid'
import { code as rawCode } from 'multiformats/codecs/raw'
import type { Cid } from '../protocol/cid.ts'
import { cidText } from './cid.ts'

export interface UnixfsNode {
  readonly kind: 'file' | 'directory' | 'shard' | 'other'
  /** Bytes of the file that lie in this node itself, before those of its children. */
  readonly data: Uint8Array
  /** Size of the file below this node, as it says; 0 for directories. */
  readonly sizeBytes: number
  readonly links: readonly UnixfsLink[]
  /** How many entries a node of a sharded directory has at most; 0 for all others. */
  readonly fanOut: number
}

export interface UnixfsLink {
  readonly cid: Cid
  /** Whether it has nothing below it by its codec alone. */
  readonly isRaw: boolean
  readonly name: string
  /** Size of the part of the file below it, as the node says; 0 in directories. */
  readonly sizeBytes: number
}

const nothing = new Uint8Array(0)

/** @throws Error where the block is no UnixFS, or where its sizes contradict each other */
export function decodeUnixfs(bytes: Uint8Array): UnixfsNode {
  const { data: unixfs, links } = Node.decode(bytes)
  if (unixfs === undefined) throw new Error('it has no UnixFS data')
  const kind = kindOf(unixfs.type)
  if (kind !== 'file') {
    const fanOut = Number(unixfs.fanOut ?? 0n)
    return { kind, data: nothing, sizeBytes: 0, links: links.map((link) => toLink(link, 0n)), fanOut }
  }
  const { data = nothing, blockSizes, fileSize } = unixfs
  if (blockSizes.length !== links.length) throw new Error('its links and their sizes are not equally many')
  const size = blockSizes.reduce((sum, each) => sum + each, BigInt(data.byteLength))
  if (fileSize !== undefined && fileSize !== size) throw new Error('its size is not that of its parts')
  if (size > BigInt(Number.MAX_SAFE_INTEGER)) throw new Error('its size is beyond any file')
  return {
    kind,
    data,
    sizeBytes: Number(size),
    links: links.map((link, at) => toLink(link, blockSizes[at] ?? 0n)),
    fanOut: 0,
  }
}

function kindOf(type: string | undefined): UnixfsNode['kind'] {
  if (type === 'FILE' || type === 'RAW') return 'file'
  if (type === 'DIRECTORY') return 'directory'
  return type === 'HAMT_SHARD' ? 'shard' : 'other'
}

function toLink({ hash, name }: { hash?: Uint8Array; name?: string }, sizeBytes: bigint): UnixfsLink {
  if (hash === undefined) throw new Error('one of its links names nothing')
  const cid = CID.decode(hash)
  return { cid: cidText(cid), isRaw: cid.code === rawCode, name: name ?? '', sizeBytes: Number(sizeBytes) }
}
