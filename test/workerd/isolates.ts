// Isolates of the worker, and images as an origin leaves them in R2.

import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { blobKey, layerLinkKey, linkContent, revisionLinkKey, tagLinkKey } from '../../shared/layout/keys.ts'
import { type Digest, digestOf } from '../../shared/protocol/digest.ts'
import type { RepositoryName, Tag } from '../../shared/protocol/names.ts'
import worker from '../../worker/index.ts'

export const base = 'http://edge.example'

const bytesOf = (text: string) => new Uint8Array(new TextEncoder().encode(text))

export interface StoredImage {
  readonly manifest: string
  readonly digest: Digest
  readonly layer: Digest
}

/** @param text of its one layer */
export async function storeImage(name: string, tag: string, text: string): Promise<StoredImage> {
  const repository = name as RepositoryName
  const layer = await digestOf(bytesOf(text))
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.empty.v1+json', digest: layer, size: text.length },
    layers: [],
  })
  const digest = await digestOf(bytesOf(manifest))
  await env.BUCKET.put(blobKey(layer), text)
  await env.BUCKET.put(layerLinkKey(repository, layer), linkContent(layer))
  await env.BUCKET.put(blobKey(digest), manifest)
  await env.BUCKET.put(revisionLinkKey(repository, digest), linkContent(digest))
  await env.BUCKET.put(tagLinkKey(repository, tag as Tag), linkContent(digest))
  return { manifest, digest, layer }
}

/** An isolate that has nothing in memory: another environment with the same bindings, but for these. */
export function newIsolate(changes: object = {}): object {
  return { ...env, ...changes }
}

export interface Asked {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly redirect?: 'manual'
}

/** Asks an isolate, and waits for what it does after the answer. */
export async function ask(isolate: object, path: string, init: Asked = {}): Promise<Response> {
  const context = createExecutionContext()
  const response = await worker.fetch(new Request(`${base}${path}`, init), isolate, context)
  await waitOnExecutionContext(context)
  return response
}
