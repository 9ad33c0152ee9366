// The files of a layout in a tar, which is read where it lies: nothing is unpacked, so no name in it leads anywhere.

import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { posix } from 'node:path'
import { extract, type Header } from 'tar-stream'
import type { Wait } from '../../shared/ports/bucket.ts'
import { BadImage } from '../../shared/registry/image-source.ts'
import { fileBytes } from './file-bytes.ts'
import type { LayoutFiles } from './layout-source.ts'

/** Entries; an image has some thousand parts at most, and a layout some images. */
const entryLimit = 100_000

/** Bytes of a name that is remembered; those of a layout are shorter. */
const nameLimit = 300

interface Place {
  readonly offset: number
  readonly sizeBytes: number
}

/** Looks through the whole tar. Rejects with BadImage where it is malformed, or has what no layout has. */
export async function layoutTar(path: string, wait: Wait): Promise<LayoutFiles> {
  const places = new Map<string, Place>()
  const { size } = await stat(path)
  const bytes = createReadStream(path, { highWaterMark: 1024 * 1024, signal: wait.signal })
  const tar = extract()
  bytes.on('error', (error) => tar.destroy(error))
  let entries = 0
  try {
    for await (const entry of bytes.pipe(tar)) {
      entries += 1
      if (entries > entryLimit) throw new BadImage(`the tar has more than ${entryLimit} entries`)
      addPlace(places, entry.header, size)
      entry.resume()
    }
  } catch (error) {
    wait.signal.throwIfAborted()
    if (error instanceof BadImage) throw error
    throw new BadImage(`it is no sound tar: ${error instanceof Error ? error.message : String(error)}`)
  } finally {
    bytes.destroy()
  }
  return {
    async find(name) {
      const place = places.get(name)
      return place && { sizeBytes: place.sizeBytes, open: () => fileBytes(path, place) }
    },
  }
}

function addPlace(places: Map<string, Place>, header: Header, tarBytes: number): void {
  const shown = JSON.stringify(header.name.slice(0, nameLimit))
  const name = posix.normalize(header.name)
  if (name.startsWith('/') || name === '..' || name.startsWith('../') || header.name.split('/').includes('..'))
    throw new BadImage(`the tar has the name ${shown}, which leads out of it`)
  if (header.type === 'directory') return
  if (header.type !== 'file' && header.type !== 'contiguous-file')
    throw new BadImage(`the tar has ${shown}, which is no regular file but a ${header.type ?? 'thing of unknown type'}`)
  if (name.length > nameLimit) return
  // The types of the library lack it.
  const { byteOffset: offset } = header as typeof header & { readonly byteOffset: number }
  const sizeBytes = header.size ?? 0
  if (offset + sizeBytes > tarBytes) throw new BadImage(`the tar ends within ${shown}`)
  if (places.has(name)) throw new BadImage(`the tar has ${shown} twice`)
  places.set(name, { offset, sizeBytes })
}
