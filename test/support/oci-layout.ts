// Reads an image back from the OCI layout that a client wrote, and trusts nothing: every file is hashed.

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

interface Descriptor {
  readonly digest: string
  readonly size: number
}

export interface ImageManifest {
  readonly config: Descriptor
  readonly layers: readonly Descriptor[]
}

/** What a client has after a pull. */
export interface PulledImage {
  readonly manifestDigest: string
  /** Digests of the uncompressed layers, in order. */
  readonly diffIds: readonly string[]
}

/** The one image of a layout. Rejects where a file is missing or is not what its digest and size say. */
export async function readLayout(folder: string): Promise<PulledImage> {
  const index = await readJson<{ manifests: readonly Descriptor[] }>(join(folder, 'index.json'))
  const [manifest, ...others] = index.manifests
  if (manifest === undefined || others.length > 0) throw new Error(`${folder} has ${index.manifests.length} images`)
  const { config, layers } = await readJson<ImageManifest>(await verifiedFile(folder, manifest))
  for (const layer of layers) await verifiedFile(folder, layer)
  const { rootfs } = await readJson<{ rootfs: { diff_ids: readonly string[] } }>(await verifiedFile(folder, config))
  return { manifestDigest: manifest.digest, diffIds: rootfs.diff_ids }
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
  if (hash.digest('hex') !== hex || length !== size) throw new Error(`${file} is not ${digest} of ${size} bytes`)
  return file
}
