// The image in a file or folder that a person names, of whatever kind it is.

import { open, stat } from 'node:fs/promises'
import type { Wait } from '../../shared/ports/bucket.ts'
import type { Clock } from '../../shared/ports/clock.ts'
import type { Digest } from '../../shared/protocol/digest.ts'
import { BadImage, type ImageSource } from '../../shared/registry/image-source.ts'
import { isMissing } from '../bucket/durable-folder.ts'
import { openCarFile } from './car-blocks-file.ts'
import { carSource } from './car-source.ts'
import { layoutFolder } from './layout-folder.ts'
import { layoutSource } from './layout-source.ts'
import { layoutTar } from './layout-tar.ts'

export interface OpenedImageFile {
  readonly source: ImageSource
  close(): Promise<void>
}

/** How compressed files begin, and what unpacks them. */
const packers = [
  { begin: [0x1f, 0x8b], unpack: 'gunzip' },
  { begin: [0x28, 0xb5, 0x2f, 0xfd], unpack: 'unzstd' },
  { begin: [0xfd, 0x37, 0x7a, 0x58, 0x5a], unpack: 'unxz' },
  { begin: [0x42, 0x5a, 0x68], unpack: 'bunzip2' },
] as const

/** Where a tar says that it is one. */
const tarMagic = { offset: 257, text: 'ustar' }

/**
 * Rejects with BadImage.
 * @param chosen the image, where a layout has several
 */
export async function openImageFile(
  path: string,
  chosen: Digest | undefined,
  clock: Clock,
  wait: Wait,
): Promise<OpenedImageFile> {
  const kind = await kindOf(path)
  if (kind === 'car') {
    if (chosen !== undefined) throw new BadImage('a CAR has one image; --digest is for layouts')
    const car = await openCarFile(path, wait)
    try {
      return { source: await carSource(car, clock, wait), close: () => car.close() }
    } catch (error) {
      await car.close()
      throw error
    }
  }
  const files = kind === 'folder' ? layoutFolder(path) : await layoutTar(path, wait)
  return { source: await layoutSource(files, chosen), close: async () => {} }
}

async function kindOf(path: string): Promise<'folder' | 'tar' | 'car'> {
  const found = await stat(path).catch((error: unknown) => {
    if (isMissing(error)) throw new BadImage('there is no such file')
    throw error
  })
  if (found.isDirectory()) return 'folder'
  if (!found.isFile()) throw new BadImage('it is neither a file nor a folder')
  const begin = new Uint8Array(512)
  const file = await open(path, 'r')
  try {
    await file.read(begin, 0, begin.byteLength, 0)
  } finally {
    await file.close()
  }
  const packer = packers.find((each) => each.begin.every((byte, at) => begin[at] === byte))
  if (packer !== undefined) throw new BadImage(`it is compressed; unpack it first (${packer.unpack})`)
  const magic = begin.subarray(tarMagic.offset, tarMagic.offset + tarMagic.text.length)
  return new TextDecoder().decode(magic) === tarMagic.text ? 'tar' : 'car'
}
