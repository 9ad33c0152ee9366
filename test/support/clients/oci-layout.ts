// Reads images back from the files that a client wrote, and trusts nothing: every file is hashed.

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

interface Descriptor {
  readonly digest: string
  readonly size?: number
}

export interface ImageManifest {
  readonly config: Required<Descriptor>
  readonly layers: readonly Required<Descriptor>[]
}

/** What a client has after a pull. */
export interface PulledImage {
  readonly manifestDigest: string
  /** Digests of the uncompressed layers, in order. */
  readonly diffIds: readonly string[]
}

/** What a client has after a pull of an index with all its images. */
export interface PulledIndex {
  readonly indexDigest: string
  /** Digests of the uncompressed layers of each image, in order, by the image's architecture. */
  readonly diffIds: Readonly<Record<string, readonly string[]>>
}

/** What an OCI layout has as its first entry. */
export async function layoutDigest(folder: string): Promise<string> {
  const { manifests } = await readJson<{ manifests: readonly Descriptor[] }>(join(folder, 'index.json'))
  const [first] = manifests
  if (first === undefined) throw new Error(`${folder} has no image`)
  return first.digest
}

/** @param folder has `blobs/`. Rejects where a file is missing or is not what its digest and size say */
export async function readImage(folder: string, digest: string): Promise<PulledImage> {
  return { manifestDigest: digest, diffIds: (await readConfig(folder, { digest })).rootfs.diff_ids }
}

/** The same for an index. */
export async function readIndex(folder: string, digest: string): Promise<PulledIndex> {
  const index = await readJson<{ manifests: readonly Descriptor[] }>(await verifiedFile(folder, { digest }))
  const diffIds: Record<string, readonly string[]> = {}
  for (const descriptor of index.manifests) {
    const { architecture, rootfs } = await readConfig(folder, descriptor)
    diffIds[architecture] = rootfs.diff_ids
  }
  return { indexDigest: digest, diffIds }
}

/** Of an image whose layers are there, too. */
async function readConfig(
  folder: string,
  manifest: Descriptor,
): Promise<{ readonly architecture: string; readonly rootfs: { readonly diff_ids: readonly string[] } }> {
  const { config, layers } = await readJson<ImageManifest>(await verifiedFile(folder, manifest))
  for (const layer of layers) await verifiedFile(folder, layer)
  return readJson(await verifiedFile(folder, config))
}

async function readJson<Value>(file: string): Promise<Value> {
  return JSON.parse(await readFile(file, 'utf8')) as Value
}

async function verifiedFile(folder: string, { digest, size }: Descriptor): Promise<string> {
  const [algorithm = '', hex = ''] = digest.split(':')
  const file = join(folder, 'blobs', algorithm, hex)
  const hash = createHash(algorithm)
  let length = 0
  for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>) {
    hash.update(chunk)
    length += chunk.byteLength
  }
  if (hash.digest('hex') !== hex || length !== (size ?? length))
    throw new Error(`${file} is not ${digest} of ${size} bytes`)
  return file
}
