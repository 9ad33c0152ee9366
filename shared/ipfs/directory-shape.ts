// The UnixFS directories over some files: each is one plain dag-pb node, its links sorted bytewise.

import { code as dagPbCode, encode, type PBLink, prepare } from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import { CID } from 'multiformats/cid'
import { sha256 } from 'multiformats/hashes/sha2'
import type { Block } from '../ports/content-store.ts'
import type { Cid } from '../protocol/cid.ts'
import { cidText, decodeCid } from './cid.ts'

/** What a name in a directory leads to. */
export interface Entry {
  readonly cid: Cid
  /** Bytes of the whole DAG (dag-pb Tsize). */
  readonly dagSizeBytes: number
}

/** Folders and files by name. */
export interface Tree {
  readonly [name: string]: Entry | Tree
}

/** The directory of a tree, and its nodes from the leaves up, the top last. */
export async function directoryOf(tree: Tree): Promise<{ top: Entry; nodes: Block[] }> {
  const nodes: Block[] = []

  async function build(tree: Tree): Promise<Entry> {
    const links: PBLink[] = []
    for (const [name, child] of Object.entries(tree)) {
      const entry = isEntry(child) ? child : await build(child)
      links.push({ Name: name, Hash: decodeCid(entry.cid), Tsize: entry.dagSizeBytes })
    }
    const bytes = encode(prepare({ Data: directoryData, Links: links }))
    const cid = cidText(CID.createV1(dagPbCode, await sha256.digest(bytes)))
    nodes.push({ cid, bytes })
    return { cid, dagSizeBytes: links.reduce((sum, link) => sum + (link.Tsize ?? 0), bytes.byteLength) }
  }

  return { top: await build(tree), nodes }
}

const directoryData = new UnixFS({ type: 'directory' }).marshal()

function isEntry(child: Entry | Tree): child is Entry {
  return typeof child['cid'] === 'string'
}
