// How blobs travelled, by what the processes logged: the edge's redirects and what the bucket handed out after them.

import type { ImageManifest } from './clients/oci-layout.ts'
import type { LogLine } from './stack.ts'

/** A blob and its length: what a manifest says of it, or what the bucket sent. */
interface SentBlob {
  readonly digest: string
  readonly sizeBytes: number
}

export interface BlobTraffic {
  /** Digests of the blobs for which the edge sent a client to the bucket. */
  readonly redirected: () => readonly string[]
  /** Blobs that the bucket handed out whole. */
  readonly handedOut: () => readonly SentBlob[]
}

/** Watches from now on. Each blob comes once, sorted by digest. */
export function watchBlobTraffic(log: (part: 'edge' | 'bucket') => readonly LogLine[]): BlobTraffic {
  const before = { edge: log('edge').length, bucket: log('bucket').length }
  const since = (part: 'edge' | 'bucket') => log(part).slice(before[part])
  return {
    redirected: () =>
      since('edge')
        .filter(
          ({ method, route, status, tier }) =>
            method === 'GET' && route === 'blob' && status === 307 && tier === 'redirect',
        )
        .map(({ digest }) => String(digest))
        .filter(isFirst)
        .sort(),
    handedOut: () =>
      since('bucket')
        .filter(({ method, status, path }) => method === 'GET' && status === 200 && blobPath.test(String(path)))
        .map(({ path, bytes }) => ({
          digest: String(path).replace(blobPath, '$1:$2'),
          sizeBytes: Number(bytes),
        }))
        .filter(({ digest }, at, all) => all.findIndex((other) => other.digest === digest) === at)
        .sort(byDigest),
  }
}

/** Digests of the blobs that a process sends whole by itself from now on, by its log. Each comes once, sorted. */
export function blobsSent(log: readonly LogLine[]): () => readonly string[] {
  const before = log.length
  return () =>
    log
      .slice(before)
      .filter(({ method, route, status }) => method === 'GET' && route === 'blob' && status === 200)
      .map(({ digest }) => String(digest))
      .filter(isFirst)
      .sort()
}

const blobPath = /^.*\/blobs\/([a-z0-9]+)\/[0-9a-f]{2}\/([0-9a-f]+)\/data$/

export interface PublishedImage {
  readonly digest: string
  /** Config and layers, sorted by digest. */
  readonly blobs: readonly SentBlob[]
}

/** What a registry has under a tag, or under a digest. */
export async function publishedImage(base: string, name: string, reference: string): Promise<PublishedImage> {
  const response = await publishedManifest(base, name, reference)
  const { config, layers } = (await response.json()) as ImageManifest
  return {
    digest: digestOf(response),
    blobs: [config, ...layers].map(({ digest, size }) => ({ digest, sizeBytes: size })).sort(byDigest),
  }
}

export interface PublishedIndex {
  readonly digest: string
  /** In the order of the index. */
  readonly images: readonly PublishedImage[]
}

/** The same of an index. */
export async function publishedIndex(base: string, name: string, tag: string): Promise<PublishedIndex> {
  const response = await publishedManifest(base, name, tag)
  const { manifests } = (await response.json()) as { readonly manifests: readonly { readonly digest: string }[] }
  const images = await Promise.all(manifests.map(({ digest }) => publishedImage(base, name, digest)))
  return { digest: digestOf(response), images }
}

async function publishedManifest(base: string, name: string, reference: string): Promise<Response> {
  const response = await fetch(`${base}/v2/${name}/manifests/${reference}`)
  if (!response.ok) throw new Error(`${name} ${reference} was answered ${response.status}: ${await response.text()}`)
  return response
}

function digestOf(response: Response): string {
  return response.headers.get('Docker-Content-Digest') ?? ''
}

function isFirst(digest: string, at: number, all: readonly string[]): boolean {
  return all.indexOf(digest) === at
}

function byDigest(one: SentBlob, other: SentBlob): number {
  return one.digest < other.digest ? -1 : 1
}
