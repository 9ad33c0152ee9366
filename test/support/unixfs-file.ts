// A file as IPFS holds it: raw leaves, and one dag-pb node over them.

import * as dagPb from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { sha256 } from 'multiformats/hashes/sha2'
import type { BlockReader } from '../../shared/ports/block-source.ts'
import type { Cid } from '../../shared/protocol/cid.ts'

export interface TestBlock {
  readonly cid: Cid
  readonly bytes: Uint8Array
}

export interface TestFile {
  readonly root: Cid
  readonly blocks: readonly TestBlock[]
}

export async function rawBlock(bytes: Uint8Array): Promise<TestBlock> {
  return { cid: CID.createV1(raw.code, await sha256.digest(bytes)).toString() as Cid, bytes }
}

export async function unixfsFile(content: Uint8Array, leafBytes: number): Promise<TestFile> {
  const leaves = await Promise.all(
    Array.from({ length: Math.ceil(content.byteLength / leafBytes) }, (_, index) =>
      rawBlock(content.slice(index * leafBytes, (index + 1) * leafBytes)),
    ),
  )
  const node = new UnixFS({ type: 'file' })
  for (const { bytes } of leaves) node.addBlockSize(BigInt(bytes.byteLength))
  const bytes = dagPb.encode({
    Data: node.marshal(),
    Links: leaves.map(({ cid, bytes }) => ({ Name: '', Tsize: bytes.byteLength, Hash: CID.parse(cid) })),
  })
  const root = CID.createV1(dagPb.code, await sha256.digest(bytes)).toString() as Cid
  return { root, blocks: [{ cid: root, bytes }, ...leaves] }
}

/** A file's content, read block by block; the children of a node all at once. */
export async function readUnixfsFile(reader: BlockReader, cid: Cid, signal: AbortSignal): Promise<Uint8Array> {
  const bytes = await reader.block(cid, { signal })
  if (bytes === undefined) throw new Error(`${cid} was not found`)
  if (CID.parse(cid).code === raw.code) return bytes
  const { Links, Data } = dagPb.decode(bytes)
  const parts = await Promise.all(
    Links.map(({ Hash }) => readUnixfsFile(reader, Hash.toV1().toString() as Cid, signal)),
  )
  const own = Data === undefined ? undefined : UnixFS.unmarshal(Data).data
  return Buffer.concat(own === undefined ? parts : [own, ...parts])
}
