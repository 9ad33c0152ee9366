// A registry client of a few lines, for tests that have to see every header.

import { sha256 } from './image.ts'

/** Follows an upload's Location, which may be relative. */
export function locationOf(response: Response, base: string): URL {
  return new URL(response.headers.get('Location') ?? '', base)
}

/** Opens an upload session; returns its URL. */
export async function startUpload(base: string, name: string, headers: Record<string, string> = {}): Promise<URL> {
  const response = await fetch(`${base}/v2/${name}/blobs/uploads/`, { method: 'POST', headers })
  if (response.status !== 202) throw new Error(`POST was answered ${response.status}: ${await response.text()}`)
  return locationOf(response, base)
}

/** `url` with a digest in its query, as a PUT wants it. */
export function withDigest(url: URL, digest: string): URL {
  const closed = new URL(url)
  closed.searchParams.set('digest', digest)
  return closed
}

/** Pushes a blob with POST and PUT; returns its digest. @param headers sent with both, e.g. Authorization */
export async function pushBlob(
  base: string,
  name: string,
  content: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
): Promise<string> {
  const digest = sha256(content)
  const url = withDigest(await startUpload(base, name, headers), digest)
  const response = await fetch(url, {
    method: 'PUT',
    body: content,
    headers: { 'Content-Type': 'application/octet-stream', ...headers },
  })
  if (response.status !== 201) throw new Error(`PUT was answered ${response.status}: ${await response.text()}`)
  return digest
}

/** The root of the image that an answer is about; empty where it has none. */
export function rootIn(answer: Response): string {
  return answer.headers.get('X-Ipfs-Path')?.replace('/ipfs/', '') ?? ''
}

export const ociManifestType = 'application/vnd.oci.image.manifest.v1+json'
export const ociIndexType = 'application/vnd.oci.image.index.v1+json'

/** Text of an image manifest over blobs that are there. */
export function manifestText(config: string, layers: readonly string[], extra: object = {}): string {
  const descriptor = (mediaType: string, content: string) => ({
    mediaType,
    digest: sha256(content),
    size: Buffer.byteLength(content),
  })
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: ociManifestType,
    config: descriptor('application/vnd.oci.image.config.v1+json', config),
    layers: layers.map((layer) => descriptor('application/vnd.oci.image.layer.v1.tar', layer)),
    ...extra,
  })
}

export function putManifest(
  base: string,
  name: string,
  reference: string,
  content: string | Uint8Array<ArrayBuffer>,
  type = ociManifestType,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${base}/v2/${name}/manifests/${reference}`, {
    method: 'PUT',
    body: content,
    headers: { 'Content-Type': type, ...headers },
  })
}

export interface SmallImage {
  readonly config: string
  readonly layer: string
  readonly manifest: string
  readonly digest: string
}

/** Pushes a small image of one layer, different for every seed. @param headers sent with each request */
export async function pushImage(
  base: string,
  name: string,
  tag: string,
  seed: string,
  headers: Record<string, string> = {},
): Promise<SmallImage> {
  const config = JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] }, seed })
  const layer = `layer of ${seed}`
  await pushBlob(base, name, config, headers)
  await pushBlob(base, name, layer, headers)
  const manifest = manifestText(config, [layer])
  const response = await putManifest(base, name, tag, manifest, ociManifestType, headers)
  if (response.status !== 201) throw new Error(`the manifest was answered ${response.status}: ${await response.text()}`)
  return { config, layer, manifest, digest: sha256(manifest) }
}

/** The first error of an answer in the OCI form. */
export async function ociError(response: Response): Promise<{ status: number; code: string; detail: string }> {
  const { errors } = (await response.json()) as { errors: { code: string; detail: string }[] }
  return { status: response.status, code: errors[0]?.code ?? '', detail: errors[0]?.detail ?? '' }
}
