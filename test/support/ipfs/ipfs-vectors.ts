// The vectors of ipfs-vectors.json: content, and the CIDs that every backend has to give it.

import { createCipheriv, createHash } from 'node:crypto'
import type { Cid } from '../../../shared/protocol/cid.ts'
import { sha256 } from '../image.ts'
import vectors from './ipfs-vectors.json' with { type: 'json' }

export interface FileVector {
  readonly about: string
  readonly cid: Cid
  readonly sizeBytes: number
  /** The content, in chunks of this many bytes. */
  chunks(chunkBytes: number): Iterable<Uint8Array<ArrayBuffer>>
}

export interface ImageVector {
  readonly name: string
  readonly manifestDigest: string
  readonly root: string
  /** The digests in their order, where the vector says it. */
  readonly walk: readonly string[] | undefined
  readonly contents: ReadonlyMap<string, Uint8Array<ArrayBuffer>>
  readonly manifests: readonly { readonly digest: string; readonly bytes: Uint8Array<ArrayBuffer> }[]
}

export const emptyDirectory = vectors.emptyDirectory

const bytesOf = (text: string) => new TextEncoder().encode(text)

export const fileVectors: readonly FileVector[] = vectors.files.map((file): FileVector => {
  const sizeBytes = file.size ?? bytesOf(file.content ?? '').byteLength
  const about =
    file.chacha20 ?? (file.repeat === undefined ? JSON.stringify(file.content) : `"${file.repeat}" repeated`)
  return {
    about: `${about}, ${sizeBytes} bytes`,
    cid: file.cid as Cid,
    sizeBytes,
    *chunks(chunkBytes) {
      const next = generator(file)
      for (let at = 0; at < sizeBytes; at += chunkBytes) yield next(Math.min(chunkBytes, sizeBytes - at))
    },
  }
})

/** Those that take no time. */
export const smallFiles = fileVectors.filter(({ sizeBytes }) => sizeBytes <= 4 * 1024 * 1024)

/** Gives the next bytes of a vector's content. */
function generator(file: (typeof vectors.files)[number]): (length: number) => Uint8Array<ArrayBuffer> {
  if (file.chacha20 !== undefined) {
    const key = createHash('sha256').update(file.chacha20).digest()
    const cipher = createCipheriv('chacha20', key, Buffer.alloc(16))
    return (length) => new Uint8Array(cipher.update(Buffer.alloc(length)))
  }
  if (file.repeat !== undefined) {
    const code = file.repeat.charCodeAt(0)
    return (length) => new Uint8Array(length).fill(code)
  }
  const content = bytesOf(file.content ?? '')
  let at = 0
  return (length) => content.slice(at, (at += length))
}

const manifestTypes = /manifest\.v1\+json|index\.v1\+json/

export const imageVectors: readonly ImageVector[] = [single(), ...vectors.images.map(several)]

function single(): ImageVector {
  const { config, layer, manifest, manifestDigest, root } = vectors.imageRoot
  const bytes = bytesOf(manifest)
  const contents = new Map([
    [manifestDigest, bytes],
    [sha256(config), bytesOf(config)],
    [layer.digest, new Uint8Array(layer.size).fill(layer.repeat.charCodeAt(0))],
  ])
  const name = 'an image with a layer of four leaves'
  return { name, manifestDigest, root, walk: undefined, contents, manifests: [{ digest: manifestDigest, bytes }] }
}

function several(image: (typeof vectors.images)[number]): ImageVector {
  const { name, manifestDigest, root, walk } = image
  const contents = new Map(Object.entries<string>(image.contents).map(([digest, text]) => [digest, bytesOf(text)]))
  const manifests = Object.entries<string>(image.contents)
    .filter(([, text]) => manifestTypes.test(text) || text.startsWith('{"schemaVersion"'))
    .map(([digest]) => ({ digest, bytes: contents.get(digest) ?? bytesOf('') }))
  return { name, manifestDigest, root, walk, contents, manifests }
}
