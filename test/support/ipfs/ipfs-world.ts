// Registries in this process, each with a bucket of its own, and IPFS between them without a network.

import { systemClock, systemRandom } from '../../../origin/compose/system-ports.ts'
import { nodeHasher } from '../../../origin/upload/node-hasher.ts'
import type { AccessRules } from '../../../shared/auth/access.ts'
import type { RequestLimit } from '../../../shared/http/request-limit.ts'
import type { RegistryApp } from '../../../shared/http/registry-app.ts'
import { createVerifiedReader } from '../../../shared/ipfs/verified-blocks.ts'
import type { BlockSource } from '../../../shared/ports/block-source.ts'
import type { Bucket } from '../../../shared/ports/bucket.ts'
import type { Clock } from '../../../shared/ports/clock.ts'
import type { LocalBlocks } from '../../../shared/ports/local-blocks.ts'
import { findView, type Views } from '../../../shared/registry/content-view.ts'
import { createImageFetcher, type FetchLimits } from '../../../shared/registry/fetch-image.ts'
import { createPublishedBlocks } from '../../../shared/registry/published-blocks.ts'
import { edgeApp, keepFetchedMs, originApp } from '../apps.ts'
import { manifestText, rootIn } from '../http-client.ts'
import { sha256 } from '../image.ts'
import { createMemoryBucket, type Objects } from '../bucket/memory-bucket.ts'
import { createMemoryUploads } from '../bucket/memory-uploads.ts'
import { silentLog } from '../silent-log.ts'

export interface Registry {
  readonly objects: Objects
  readonly bucket: Bucket
  readonly origin: RegistryApp
  readonly edge: RegistryApp
  /** What it hands out to others. */
  readonly blocks: LocalBlocks
}

export interface RegistryOptions {
  readonly objects?: Objects
  readonly access?: AccessRules
  readonly sources?: readonly BlockSource[]
  readonly clock?: Clock
  readonly limits?: Partial<FetchLimits>
  readonly searchLimit?: RequestLimit
}

const open: AccessRules = { anonymous: 'push', delete: true, fetch: true }

export function createRegistry(options: RegistryOptions = {}): Registry {
  const { objects = new Map(), access = open, sources = [], clock = systemClock, limits = {} } = options
  const [bucket, uploads] = [createMemoryBucket(objects), createMemoryUploads(objects)]
  const fetcher = createImageFetcher({
    bucket,
    uploads,
    hasher: nodeHasher,
    random: systemRandom,
    clock,
    log: silentLog,
    reader: createVerifiedReader({ sources, clock, log: silentLog }),
    limits: { timeoutMs: 5000, atOnce: 8, imageBytes: 1_000_000_000, ...limits },
  })
  const origin = originApp({ bucket, uploads, clock, access, fetcher, searchLimit: options.searchLimit })
  const views: Views = { find: (name, wait) => findView({ bucket, access, clock, keepFetchedMs }, name, wait) }
  return {
    objects,
    bucket,
    origin,
    edge: edgeApp({ bucket, access, clock, fetch: async (url, init) => origin.request(url.href, init) }),
    blocks: createPublishedBlocks({ bucket, access, views }),
  }
}

/** Blocks of one registry as a source for another. @param asked is told of every block that was asked for */
export function sourceOf(blocks: LocalBlocks, asked: (cid: string) => void = () => {}): BlockSource {
  return {
    name: 'the other registry',
    open: () => ({
      block(cid, wait) {
        asked(cid)
        return blocks.get(cid, wait)
      },
      close() {},
    }),
  }
}

export interface PushedImage {
  readonly manifest: string
  readonly digest: string
  readonly blobs: readonly string[]
  /** Its root; empty where it has none. */
  readonly root: string
}

/** Pushes an image of a config and layers. @throws Error where it is refused */
export async function pushTo(
  app: RegistryApp,
  name: string,
  layers: readonly string[],
  tag = 'latest',
): Promise<PushedImage> {
  const blobs = [JSON.stringify({ layers: layers.map((layer) => sha256(layer)) }), ...layers]
  const manifest = manifestText(blobs[0] ?? '', layers)
  for (const blob of blobs) {
    const answer = await app.request(`/v2/${name}/blobs/uploads/?digest=${sha256(blob)}`, {
      method: 'POST',
      body: blob,
    })
    if (answer.status !== 201) throw new Error(`a blob was answered ${answer.status}: ${await answer.text()}`)
  }
  const answer = await putTo(app, name, tag, manifest)
  if (answer.status !== 201) throw new Error(`the manifest was answered ${answer.status}: ${await answer.text()}`)
  return { manifest, digest: sha256(manifest), blobs, root: rootIn(answer) }
}

/** Pushes a manifest of whatever type it says to be. */
export async function putTo(app: RegistryApp, name: string, tag: string, manifest: string): Promise<Response> {
  // As bytes, since a text would go with a type of its own.
  const body = new TextEncoder().encode(manifest)
  return app.request(`/v2/${name}/manifests/${tag}`, { method: 'PUT', body })
}
