// The origin's part in IPFS: where published images are kept, and where images come from that were never seen here. What
// is not configured is not loaded.

import type { AccessRules } from '../../shared/auth/access.ts'
import { createViewFinder } from '../../shared/edge/view-finder.ts'
import { createVerifiedReader } from '../../shared/ipfs/verified-blocks.ts'
import type { BlockSource } from '../../shared/ports/block-source.ts'
import type { Bucket } from '../../shared/ports/bucket.ts'
import type { ContentStore } from '../../shared/ports/content-store.ts'
import type { Log } from '../../shared/ports/log.ts'
import type { Uploads } from '../../shared/ports/uploads.ts'
import { createImageFetcher, type ImageFetcher } from '../../shared/registry/fetch-image.ts'
import { createPublishedBlocks } from '../../shared/registry/published-blocks.ts'
import { createPublisher, type Publisher } from '../../shared/registry/publish-image.ts'
import { reconcileIpfs } from '../../shared/registry/reconcile-ipfs.ts'
import { swarmKey } from '../accounts/swarm-key.ts'
import { ConfigError } from '../config/config-error.ts'
import { keepFetchedMs, swarmKeyFile } from '../config/addresses.ts'
import type { Config } from '../config/schema.ts'
import { embeddedStore } from '../ipfs/embedded-store.ts'
import type { Swarm } from '../ipfs/swarm/swarm.ts'
import { nodeHasher } from '../upload/node-hasher.ts'
import { streamingFetch } from '../http/streaming-fetch.ts'
import { systemClock, systemRandom } from './system-ports.ts'

export interface Ipfs {
  /** Undefined where nothing is published. */
  readonly publisher: Publisher | undefined
  /** Undefined where there is nowhere to fetch from. */
  readonly fetcher: ImageFetcher | undefined
  /** Where other nodes reach the embedded one. */
  readonly addresses: readonly string[]
  stop(): Promise<void>
}

export interface IpfsDeps {
  readonly config: Config
  readonly bucket: Bucket
  readonly uploads: Uploads
  readonly access: AccessRules
  readonly log: Log
}

/** Fetches at once; each holds a few MiB. */
const fetchesAtOnce = 64

/** @throws ConfigError */
export async function startIpfs(deps: IpfsDeps): Promise<Ipfs> {
  const { config, bucket, uploads, access, log } = deps
  const { backend, fetch_timeout_ms: timeoutMs } = config.ipfs
  const { names } = config.push
  if (backend === 'off' && names === 'content-only')
    throw new ConfigError([
      'push.names: `content-only` needs `ipfs.backend` to be embedded or kubo, because only images on IPFS have content names',
    ])
  const kubo = await kuboOf(config)
  const store = storeOf(config, kubo)
  const publisher = backend === 'off' ? undefined : createPublisher({ bucket, access, log, store, names })
  const swarm = await swarmOf(deps)
  const gateways = await gatewaysOf(config)
  const sources: BlockSource[] = [kubo?.source, swarm?.source, ...gateways].filter((source) => source !== undefined)
  const gib = 1024 ** 3
  const reconciling =
    publisher !== undefined && backend === 'kubo' && !config.access.read_only
      ? startReconciling(deps, store)
      : undefined
  return {
    publisher,
    fetcher:
      sources.length === 0
        ? undefined
        : createImageFetcher({
            bucket,
            uploads,
            hasher: nodeHasher,
            random: systemRandom,
            clock: systemClock,
            log,
            reader: createVerifiedReader({ sources, clock: systemClock, log }),
            limits: { timeoutMs, atOnce: fetchesAtOnce, imageBytes: config.ipfs.fetch_limit_gib * gib },
          }),
    addresses: swarm?.addresses() ?? [],
    async stop() {
      await reconciling?.stop()
      await swarm?.stop()
    },
  }
}

/** Where public images are kept. @throws ConfigError */
export async function contentStoreOf(config: Config): Promise<ContentStore> {
  return storeOf(config, await kuboOf(config))
}

function storeOf({ ipfs }: Config, kubo: { store: ContentStore } | undefined): ContentStore {
  if (ipfs.backend !== 'kubo') return embeddedStore
  if (kubo !== undefined) return kubo.store
  throw new ConfigError(['ipfs.kubo_url: must be set with `ipfs.backend: kubo`, e.g. http://127.0.0.1:5001'])
}

/** What the access rules say may have changed while no origin ran. */
function startReconciling({ bucket, access, log }: IpfsDeps, copies: ContentStore) {
  // What is in the bucket keeps the names that it has.
  const publisher = createPublisher({ bucket, access, log, store: copies, names: 'any' })
  const stopped = new AbortController()
  const onFault = (name: string, digest: string, error: Error) =>
    log.warn('an image is damaged, and left as it is', { name, digest }, error)
  const work = reconcileIpfs({ bucket, access, publisher, copies, onProgress() {}, onFault }, undefined, stopped).then(
    (done) => log.info('IPFS is in line with the bucket', { ...done }),
    (error: unknown) => {
      if (!stopped.signal.aborted) log.warn('IPFS could not be brought in line with the bucket', {}, error)
    },
  )
  return {
    stop() {
      stopped.abort(new Error('the origin stops'))
      return work
    },
  }
}

async function kuboOf({ ipfs }: Config): Promise<{ store: ContentStore; source: BlockSource } | undefined> {
  const { kubo_url: url, fetch_timeout_ms: timeoutMs } = ipfs
  if (url === undefined) return undefined
  const [{ createKuboClient }, { createKuboStore }, { createKuboSource }] = await Promise.all([
    import('../ipfs/kubo/kubo-client.ts'),
    import('../ipfs/kubo/kubo-store.ts'),
    import('../ipfs/kubo/kubo-source.ts'),
  ])
  const kubo = createKuboClient({ url, timeoutMs, clock: systemClock })
  return {
    store: createKuboStore({ kubo, clock: systemClock }),
    source: createKuboSource({ kubo, searchMs: searchMsOf(timeoutMs) }),
  }
}

async function swarmOf(deps: SwarmDeps): Promise<Swarm | undefined> {
  const { listen = [], peers = [] } = deps.config.ipfs
  return listen.length === 0 && peers.length === 0 ? undefined : startEmbedded(deps)
}

type SwarmDeps = Pick<IpfsDeps, 'config' | 'bucket' | 'access' | 'log'>

/** The embedded node: hands out the public images of the bucket, and is a source of others. */
export async function startEmbedded({ config, bucket, access, log }: SwarmDeps): Promise<Swarm> {
  const { listen = [], peers = [], fetch_timeout_ms: timeoutMs } = config.ipfs
  const { startSwarm } = await import('../ipfs/swarm/swarm.ts')
  const views = createViewFinder({ bucket, access, clock: systemClock, keepFetchedMs: keepFetchedMs(config) })
  return startSwarm({
    identity: await swarmKey(swarmKeyFile(config)),
    listen,
    peers,
    blocks: createPublishedBlocks({ bucket, access, views }),
    searchMs: searchMsOf(timeoutMs),
    clock: systemClock,
    log,
  })
}

async function gatewaysOf({ ipfs }: Config): Promise<BlockSource[]> {
  const { gateways = [], fetch_timeout_ms: timeoutMs } = ipfs
  if (gateways.length === 0) return []
  const { createGatewaySource } = await import('../ipfs/gateways/gateway-source.ts')
  return gateways.map((url) =>
    createGatewaySource({
      url: new URL(url),
      fetch: streamingFetch,
      clock: systemClock,
      firstByteMs: searchMsOf(timeoutMs),
      idleMs: searchMsOf(timeoutMs),
    }),
  )
}

/** One source that does not answer must leave time for the next. */
function searchMsOf(timeoutMs: number): number {
  return Math.ceil(timeoutMs / 3)
}
