// Files and images as a content store takes them; the reference implementation of UnixFS names the files.

import { directoryOf } from '../../../shared/ipfs/directory-shape.ts'
import type { Wait } from '../../../shared/ports/bucket.ts'
import type { Block, ContentFile, ContentImage } from '../../../shared/ports/content-store.ts'
import { makeFile, rawBlock } from './dag.ts'

export interface TestFile extends ContentFile {
  /** How often it was opened. */
  opened: number
}

export async function testFile(content: Uint8Array): Promise<TestFile> {
  const file: TestFile = {
    cid: (await makeFile(content)).root,
    sizeBytes: content.byteLength,
    opened: 0,
    async open(_wait: Wait) {
      file.opened += 1
      return ReadableStream.from(chunks(content))
    },
  }
  return file
}

/** A directory with the files in a directory of their own, and small files beside that. */
export async function testImage(
  files: readonly ContentFile[],
  smallFiles: readonly string[] = [],
): Promise<ContentImage> {
  const small = await Promise.all(smallFiles.map((text) => rawBlock(new TextEncoder().encode(text))))
  const { top, nodes } = await directoryOf({
    blobs: byPlace(
      '',
      files.map(({ cid, sizeBytes }) => ({ cid, dagSizeBytes: sizeBytes })),
    ),
    ...byPlace('small-', small.map(entryOf)),
  })
  return { root: top.cid, blocks: [...small, ...nodes], files }
}

const entryOf = ({ cid, bytes }: Block) => ({ cid, dagSizeBytes: bytes.byteLength })

function byPlace<Entry>(prefix: string, entries: readonly Entry[]): Readonly<Record<string, Entry>> {
  return Object.fromEntries(entries.map((entry, at) => [`${prefix}${String(at).padStart(4, '0')}`, entry]))
}

const chunkBytes = 256 * 1024

async function* chunks(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes)
}
