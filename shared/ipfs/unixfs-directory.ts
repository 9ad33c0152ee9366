// Names in UnixFS directories, plain and sharded, from blocks that are already verified.

import pMap from 'p-map'
import type { Cid } from '../protocol/cid.ts'
import { UnusableContent } from './content-errors.ts'
import type { GetBlock } from './unixfs-file.ts'
import { decodeUnixfs, type UnixfsNode } from './unixfs-node.ts'
import { parseBlockName } from './verify-block.ts'

export interface DirectoryEntry {
  readonly name: string
  readonly cid: Cid
}

/** Nodes of a sharded directory, and its levels. At the usual width this is room for a million names. */
const [shardNodeLimit, shardDepthLimit] = [8192, 8]

/** Nodes of a sharded directory that are asked for at once. */
const concurrency = 8

/** What lies at a path under a directory. Undefined where a name on the way is not there, or names no directory. */
export async function resolvePath(top: Cid, path: readonly string[], get: GetBlock): Promise<Cid | undefined> {
  let at: Cid | undefined = top
  for (const name of path) {
    const entries: readonly DirectoryEntry[] | undefined = await listDirectory(at, get)
    at = entries?.find((entry) => entry.name === name)?.cid
    if (at === undefined) return undefined
  }
  return at
}

/**
 * The names in a directory, in the order of its links. Undefined where the CID names no directory. Rejects with
 * UnusableContent where a sharded one contradicts itself or is too large, and with what `get` rejects with.
 */
export async function listDirectory(cid: Cid, get: GetBlock): Promise<readonly DirectoryEntry[] | undefined> {
  const root = await readNode(cid, get)
  if (root?.kind === 'directory') return root.links
  if (root?.kind !== 'shard') return undefined
  const entries: DirectoryEntry[] = []
  let [nodes, nodesLeft]: [readonly UnixfsNode[], number] = [[root], shardNodeLimit]
  for (let depth = 0; nodes.length > 0; depth += 1) {
    if (depth > shardDepthLimit)
      throw new UnusableContent(cid, `the directory is more than ${shardDepthLimit} levels deep`)
    const below: Cid[] = []
    for (const node of nodes) {
      const prefixLength = shardPrefixLength(cid, node)
      for (const link of node.links) {
        if (link.name.length > prefixLength) entries.push({ name: link.name.slice(prefixLength), cid: link.cid })
        else below.push(link.cid)
      }
    }
    nodesLeft -= below.length
    if (nodesLeft < 0) throw new UnusableContent(cid, `the directory has more than ${shardNodeLimit} nodes`)
    nodes = await pMap(below, (each) => readShard(cid, each, get), { concurrency })
  }
  return entries
}

async function readShard(directory: Cid, cid: Cid, get: GetBlock): Promise<UnixfsNode> {
  const node = await readNode(cid, get)
  if (node?.kind === 'shard') return node
  throw new UnusableContent(directory, `${cid} is no node of a sharded directory`)
}

/** Undefined where it is no UnixFS. */
async function readNode(cid: Cid, get: GetBlock): Promise<UnixfsNode | undefined> {
  if (parseBlockName(cid).codec === 'raw') return undefined
  const bytes = await get(cid)
  try {
    return decodeUnixfs(bytes)
  } catch {
    return undefined
  }
}

/** Each name in a shard begins with its place in the table, in as many hex digits as the last place has. */
function shardPrefixLength(directory: Cid, { fanOut }: UnixfsNode): number {
  if (Number.isInteger(Math.log2(fanOut)) && fanOut >= 8 && fanOut <= 1024) return (fanOut - 1).toString(16).length
  throw new UnusableContent(directory, `${fanOut} is no width of a sharded directory`)
}
