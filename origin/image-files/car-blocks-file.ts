// The blocks of a CAR in a file, found by one look through it and read where they lie.

import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { CarIndexer } from '@ipld/car/indexer'
import { cidText } from '../../shared/ipfs/cid.ts'
import { type BlockSource, blockLimitBytes } from '../../shared/ports/block-source.ts'
import type { Wait } from '../../shared/ports/bucket.ts'
import type { Cid } from '../../shared/protocol/cid.ts'
import { BadImage } from '../../shared/registry/image-source.ts'

export interface CarFile {
  readonly roots: readonly Cid[]
  has(cid: Cid): boolean
  /** What the CAR says are the bytes; unchecked. */
  readonly source: BlockSource
  close(): Promise<void>
}

/** The largest block, its CID and lengths. Headers are far smaller. */
const sectionLimitBytes = blockLimitBytes + 1024

/** Blocks, each of which takes some 300 bytes to remember: room for 256 GiB in the usual pieces. */
const blockCountLimit = 1_000_000

/** Rejects with BadImage where the CAR is malformed, or not of version 1. */
export async function openCarFile(path: string, wait: Wait): Promise<CarFile> {
  const { size } = await stat(path)
  const { roots, places } = await indexOf(path, size, wait)
  const file = await open(path, 'r')
  return {
    roots,
    has: (cid) => places.has(cid),
    source: {
      name: 'the CAR',
      open: () => ({
        async block(cid) {
          const place = places.get(cid)
          if (place === undefined) return undefined
          const bytes = new Uint8Array(place.sizeBytes)
          const { bytesRead } = await file.read(bytes, 0, place.sizeBytes, place.offset)
          return bytes.subarray(0, bytesRead)
        },
        close() {},
      }),
    },
    close: () => file.close(),
  }
}

interface Place {
  readonly offset: number
  readonly sizeBytes: number
}

async function indexOf(path: string, fileBytes: number, wait: Wait) {
  const places = new Map<Cid, Place>()
  let bytesSinceBlock = 0
  // The parser takes all bytes that a length announces into memory, and asks for more until it has them.
  async function* limited(): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024, signal: wait.signal })) {
      if (bytesSinceBlock > sectionLimitBytes) throw new BadImage('the CAR has more in one piece than any block has')
      bytesSinceBlock += (chunk as Uint8Array).byteLength
      yield chunk as Uint8Array
    }
  }
  try {
    const indexer = await CarIndexer.fromIterable(limited())
    if (indexer.version !== 1)
      throw new BadImage(
        `the CAR has version ${indexer.version}; only version 1 is read, which \`ipfs dag export\` makes`,
      )
    for await (const { cid, blockOffset: offset, blockLength: sizeBytes } of indexer) {
      bytesSinceBlock = 0
      if (sizeBytes < 0 || sizeBytes > blockLimitBytes)
        throw new BadImage(
          `block ${cidText(cid)} of the CAR has ${sizeBytes} bytes, and ${blockLimitBytes} is the limit`,
        )
      if (offset + sizeBytes > fileBytes) throw new BadImage(`the CAR ends within block ${cidText(cid)}`)
      // One that comes again can only be the same.
      if (!places.has(cidText(cid))) places.set(cidText(cid), { offset, sizeBytes })
      if (places.size > blockCountLimit) throw new BadImage(`the CAR has more than ${blockCountLimit} blocks`)
    }
    return { roots: (await indexer.getRoots()).map((root) => cidText(root)), places }
  } catch (error) {
    wait.signal.throwIfAborted()
    if (error instanceof BadImage) throw error
    throw new BadImage(`it is no sound CAR: ${error instanceof Error ? error.message : String(error)}`)
  }
}
