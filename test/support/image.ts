// Images made here, as OCI layouts on disk, so that tests need no network. The same seed gives the same image.

import { createCipheriv, createHash, hash } from 'node:crypto'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { pack } from 'tar-stream'

export interface BlobFile {
  readonly digest: string
  readonly sizeBytes: number
}

/** One image of an OCI layout. */
interface ImageFiles {
  readonly manifest: BlobFile
  readonly config: BlobFile
  readonly layers: readonly BlobFile[]
}

export interface TestImage extends ImageFiles {
  /** The folder with the layout; its image is tagged `latest` there. */
  readonly folder: string
}

/** What a client names the layers by that it pulled. Ours are not compressed, so these are their digests too. */
export function diffIds({ layers }: Pick<TestImage, 'layers'>): readonly string[] {
  return layers.map(({ digest }) => digest)
}

/** Images of several architectures under one index. */
export interface TestIndex {
  /** The folder with the layout; its index is tagged `latest` there. */
  readonly folder: string
  readonly index: BlobFile
  /** Each image with a layout of its own, too, in the order of the index. */
  readonly images: readonly (TestImage & { readonly architecture: string })[]
}

const manifestType = 'application/vnd.oci.image.manifest.v1+json'
const indexType = 'application/vnd.oci.image.index.v1+json'

/** Debian, Docker and Go call the same architecture amd64. */
const ownArchitecture = process.arch === 'x64' ? 'amd64' : process.arch

/** @param layerSizes bytes of the one file in each layer; its content cannot be compressed */
export async function makeImage(
  folder: string,
  seed: string,
  layerSizes: readonly number[],
  architecture = ownArchitecture,
): Promise<TestImage> {
  const image = await writeImage(folder, seed, layerSizes, architecture)
  await writeLayout(folder, descriptor(manifestType, image.manifest))
  return { folder, ...image }
}

/** @param folder gets a folder for the index, and one for each image
 * @param architectures the images of the index; each has layers of its own */
export async function makeIndex(
  folder: string,
  seed: string,
  layerSizes: readonly number[],
  architectures: readonly string[],
): Promise<TestIndex> {
  const images = []
  const layout = join(folder, 'index')
  for (const architecture of architectures) {
    const image = [`${seed}-${architecture}`, layerSizes, architecture] as const
    await writeImage(layout, ...image)
    images.push({ architecture, ...(await makeImage(join(folder, architecture), ...image)) })
  }
  const manifests = images.map(({ manifest, architecture }) => ({
    ...descriptor(manifestType, manifest),
    platform: { os: 'linux', architecture },
  }))
  const index = await writeBlob(blobsOf(layout), JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests }))
  await writeLayout(layout, descriptor(indexType, index))
  return { folder: layout, index, images }
}

async function writeImage(
  folder: string,
  seed: string,
  layerSizes: readonly number[],
  architecture: string,
): Promise<ImageFiles> {
  const blobs = blobsOf(folder)
  await mkdir(blobs, { recursive: true })
  const layers: BlobFile[] = []
  for (const [at, sizeBytes] of layerSizes.entries()) layers.push(await makeLayer(blobs, `${seed}-${at}`, sizeBytes))
  const config = await writeBlob(
    blobs,
    JSON.stringify({
      architecture,
      os: 'linux',
      config: { Cmd: ['/none'] },
      rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
    }),
  )
  const manifest = await writeBlob(
    blobs,
    JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestType,
      config: descriptor('application/vnd.oci.image.config.v1+json', config),
      layers: layers.map((layer) => descriptor('application/vnd.oci.image.layer.v1.tar', layer)),
    }),
  )
  return { manifest, config, layers }
}

async function writeLayout(folder: string, tagged: object): Promise<void> {
  const annotations = { 'org.opencontainers.image.ref.name': 'latest' }
  const index = { schemaVersion: 2, manifests: [{ ...tagged, annotations }] }
  await writeFile(join(folder, 'index.json'), JSON.stringify(index))
  await writeFile(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
}

function blobsOf(folder: string): string {
  return join(folder, 'blobs', 'sha256')
}

function descriptor(mediaType: string, { digest, sizeBytes }: BlobFile): object {
  return { mediaType, digest, size: sizeBytes }
}

async function writeBlob(blobs: string, content: string): Promise<BlobFile> {
  const hex = hash('sha256', content)
  await writeFile(join(blobs, hex), content)
  return { digest: `sha256:${hex}`, sizeBytes: Buffer.byteLength(content) }
}

/** An uncompressed tar with one file, so that the layer's digest is its diff id. */
async function makeLayer(blobs: string, seed: string, sizeBytes: number): Promise<BlobFile> {
  const temporary = join(blobs, `.${seed}`)
  const file = createWriteStream(temporary)
  const digest = createHash('sha256')
  let length = 0
  const tar = pack()
  tar.on('data', (data) => {
    const chunk = data as Buffer
    digest.update(chunk)
    length += chunk.byteLength
  })
  tar.pipe(file)
  const entry = tar.entry({ name: `data/${seed}`, size: sizeBytes, mtime: new Date(0) })
  for (const chunk of randomChunks(seed, sizeBytes)) {
    if (!entry.write(chunk)) await once(entry, 'drain')
  }
  entry.end(undefined)
  tar.finalize()
  await finished(file)
  const hex = digest.digest('hex')
  await rename(temporary, join(blobs, hex))
  return { digest: `sha256:${hex}`, sizeBytes: length }
}

/**
 * Reproducible bytes that cannot be compressed, a MiB at a time: chacha20 under the seed's hash, encrypting zeros. Of one
 * seed, fewer bytes are the beginning of more.
 */
export function* randomChunks(seed: string | number, sizeBytes: number): Generator<Buffer> {
  const cipher = createCipheriv('chacha20', createHash('sha256').update(String(seed)).digest(), Buffer.alloc(16))
  const zeros = Buffer.alloc(1024 * 1024)
  for (let left = sizeBytes; left > 0; left -= zeros.byteLength)
    yield cipher.update(zeros.subarray(0, Math.min(left, zeros.byteLength)))
}

/** The same bytes at once. */
export function randomBytes(seed: string | number, sizeBytes: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat([...randomChunks(seed, sizeBytes)]))
}

/** The digest of bytes or text, as registries write it. */
export function sha256(content: string | Uint8Array): string {
  return `sha256:${hash('sha256', content)}`
}
