// Files and images as a content store takes them, with CIDs of the reference implementation of UnixFS.

import * as dagPb from '@ipld/dag-pb'
import { unixfs } from '@helia/unixfs'
import type { Blockstore } from 'interface-blockstore'
import { UnixFS } from 'ipfs-unixfs'
import { CID } from 'multiformats/cid'
import { sha256 } from 'multiformats/hashes/sha2'
import type { Wait } from '../../shared/ports/bucket.ts'
import type { Block, ContentFile, ContentImage } from '../../shared/ports/content-store.ts'
import type { Cid } from '../../shared/protocol/cid.ts'

export interface TestFile extends ContentFile {
  /** How often it was opened. */
  opened: number
}

/** Bytes at hand, or made anew whenever they are read. */
type Content = Uint8Array | (() => AsyncIterable<Uint8Array>)

/** @param chunkBytes in which it is read */
export async function testFile(content: Content, chunkBytes = 256 * 1024): Promise<TestFile> {
  const read = typeof content === 'function' ? content : () => chunks(content, chunkBytes)
  let sizeBytes = 0
  async function* counted() {
    for await (const chunk of read()) {
      sizeBytes += chunk.byteLength
      yield chunk
    }
  }
  const cid = await unixfs({ blockstore: forgetful() }).addByteStream(counted())
  const file: TestFile = {
    cid: textOf(cid),
    sizeBytes,
    opened: 0,
    async open(_wait: Wait) {
      file.opened += 1
      return ReadableStream.from(read())
    },
  }
  return file
}

/** Bytes that are the same for the same seed, and no two KiB of which are the same. */
export function seededBytes(seed: number, sizeBytes: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(sizeBytes / 4))
  let state = seed + 1
  for (let at = 0; at < words.length; at += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    words[at] = state ^ (at >>> 3)
  }
  return new Uint8Array(words.buffer, 0, sizeBytes)
}

/** A directory with the files in a directory of their own, and small files beside that. */
export async function testImage(
  files: readonly ContentFile[],
  smallFiles: readonly string[] = [],
): Promise<ContentImage> {
  const blocks: Block[] = []
  const entry = (name: string, cid: Cid, sizeBytes: number) => ({ Name: name, Hash: CID.parse(cid), Tsize: sizeBytes })
  const directory = async (links: readonly ReturnType<typeof entry>[]) => {
    const Data = new UnixFS({ type: 'directory' }).marshal()
    const bytes = dagPb.encode(dagPb.prepare({ Data, Links: [...links] }))
    const cid = textOf(CID.createV1(dagPb.code, await sha256.digest(bytes)))
    blocks.push({ cid, bytes })
    return cid
  }
  const blobs = await directory(
    files.map(({ cid, sizeBytes }, at) => entry(String(at).padStart(4, '0'), cid, sizeBytes)),
  )
  const links = [entry('blobs', blobs, 0)]
  for (const [at, text] of smallFiles.entries()) {
    const bytes = new TextEncoder().encode(text)
    const cid = textOf(CID.createV1(rawCode, await sha256.digest(bytes)))
    blocks.push({ cid, bytes })
    links.push(entry(`small-${at}`, cid, bytes.byteLength))
  }
  return { root: await directory(links), blocks, files }
}

const rawCode = 0x55

async function* chunks(bytes: Uint8Array, chunkBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes)
}

/** The importer only puts. */
function forgetful(): Pick<Blockstore, 'get' | 'put' | 'has'> {
  return {
    put: (cid) => cid,
    has: () => false,
    get() {
      throw new Error('nothing is kept here')
    },
  }
}

function textOf(cid: CID): Cid {
  return cid.toString() as Cid
}
