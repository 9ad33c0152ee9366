// The edge process in workerd: the worker as it is deployed, built here, with the bucket read over HTTP.

import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { createInterface } from 'node:readline'
import workerd from 'workerd'
import { formatAddress, isLoopback, originUrl, tlsFiles } from '../config/addresses.ts'
import { edgeKey } from '../compose/edge-key.ts'
import { ConfigError } from '../config/config-error.ts'
import type { Config } from '../config/schema.ts'
import { edgeRecords } from '../compose/account-records.ts'
import { bucketAccess, readBucket } from '../compose/bucket-reading.ts'
import { buildWorker, compatibilityDate } from './build-worker.ts'
import type { Running } from './service.ts'
import { createLog } from '../compose/system-ports.ts'

/** MiB; an isolate has 128 for everything. */
const largestMemoryCacheMib = 96

export async function startWorkerdEdge(config: Config): Promise<Running> {
  if (config.edge.metrics_listen !== undefined)
    throw new ConfigError([
      'edge.metrics_listen: an edge in workerd has no metrics; leave it out, or set edge.runtime to node',
    ])
  if (tlsFiles(config) !== undefined)
    throw new ConfigError([
      'http.tls_cert: an edge in workerd speaks no TLS itself; leave it out and put a proxy in front (docs/operations.md), or set edge.runtime to node',
    ])
  const log = createLog('edge', config.log.level)
  const variables = await workerVariables(config)
  const folder = await mkdtemp(join(tmpdir(), 'mirrorball-edge-'))
  const removeFolder = () => rm(folder, { recursive: true, force: true })
  try {
    await buildWorker(join(folder, 'worker.js'))
    const capnp = workerdConfig(formatAddress(config.edge.listen), Object.keys(variables), await compatibilityDate())
    await writeFile(join(folder, 'config.capnp'), capnp)
    const workerd = await startWorkerd(join(folder, 'config.capnp'), variables, (code) => {
      log.error('workerd ended by itself', { code })
      process.exitCode = 1
      process.kill(process.pid, 'SIGTERM')
    })
    const url = `http://${formatAddress({ ...config.edge.listen, port: workerd.port })}`
    log.info('ready', { url, runtime: 'workerd' })
    return {
      url,
      async stop() {
        await workerd.stop(config.http.drain_ms)
        await removeFolder()
      },
    }
  } catch (error) {
    await removeFolder()
    throw error
  }
}

/** What the worker is configured with; the same names as in wrangler.toml. */
async function workerVariables(config: Config): Promise<Record<string, string>> {
  const { url, region, accessKeyId, secretAccessKey } = await bucketAccess(config)
  return {
    ACCESS_READ_ONLY: String(config.access.read_only),
    ON_LOOPBACK: String(isLoopback(config.edge.listen)),
    IPFS_KEEP_FETCHED_DAYS: String(config.ipfs.keep_fetched_days),
    ORIGIN_URL: originUrl(config),
    EDGE_KEY: await edgeKey(config, () => edgeRecords(config, async () => (await readBucket(config)).bucket)),
    BUCKET_URL: url,
    BUCKET_REGION: region,
    ...(config.bucket.prefix === undefined ? {} : { BUCKET_PREFIX: config.bucket.prefix }),
    BUCKET_ACCESS_KEY_ID: accessKeyId,
    BUCKET_SECRET_ACCESS_KEY: secretAccessKey,
    ...(config.bucket.public_url === undefined ? {} : { BUCKET_PUBLIC_URL: config.bucket.public_url }),
    MEMORY_CACHE_MIB: String(Math.min(config.edge.memory_cache_mib, largestMemoryCacheMib)),
    BUCKET_TIMEOUT_MS: String(config.edge.bucket_timeout_ms),
    ORIGIN_TIMEOUT_MS: String(config.edge.origin_timeout_ms),
    ...(config.http.trusted_proxies === undefined ? {} : { TRUSTED_PROXIES: config.http.trusted_proxies.join(',') }),
    ...(config.http.requests_per_minute === undefined
      ? {}
      : { REQUESTS_PER_MINUTE: String(config.http.requests_per_minute) }),
    LOG_LEVEL: config.log.level,
  }
}

/** Runs workerd. @param onUnexpectedEnd is told its exit code or signal when it ends without `stop` */
async function startWorkerd(
  configFile: string,
  variables: Record<string, string>,
  onUnexpectedEnd: (code: string) => void,
): Promise<{ port: number; stop: (drainMs: number) => Promise<void> }> {
  // Secrets go by environment, not into a file. The descriptor 3 tells which port was taken.
  const child = spawn(workerd.default, ['serve', '--control-fd=3', configFile], {
    env: variables,
    stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
  })
  let expected = true
  const exited = new Promise<void>((done) => {
    child.once('exit', (code, signal) => {
      if (!expected) onUnexpectedEnd(String(code ?? signal))
      done()
    })
  })
  const port = await listeningPort(child.stdio[3] as Readable, exited)
  expected = false
  return {
    port,
    async stop(drainMs) {
      expected = true
      // workerd lets requests in flight end after SIGTERM, without a limit of its own.
      child.kill('SIGTERM')
      const cut = setTimeout(() => child.kill('SIGKILL'), drainMs)
      await exited
      clearTimeout(cut)
    },
  }
}

/** Source: workerd.capnp, the schema of workerd's configuration. */
function workerdConfig(address: string, variables: readonly string[], date: string): string {
  const bindings = variables.map((name) => `(name = "${name}", fromEnvironment = "${name}")`).join(', ')
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "edge", worker = (
      modules = [(name = "worker.js", esModule = embed "worker.js")],
      bindings = [${bindings}],
      compatibilityDate = "${date}",
      globalOutbound = "network")),
    (name = "network", network = (allow = ["private", "public"], tlsOptions = (trustBrowserCas = true)))
  ],
  sockets = [(name = "http", address = "${address}", http = (), service = "edge")]
);
`
}

/** @throws Error where workerd ends before it listens */
async function listeningPort(control: Readable, exited: Promise<void>): Promise<number> {
  const ended = exited.then(() => Promise.reject(new Error('workerd did not start; what it printed above says why')))
  const heard = (async () => {
    for await (const line of createInterface({ input: control })) {
      const event = JSON.parse(line) as { event: string; port?: number }
      if (event.event === 'listen' && event.port !== undefined) return event.port
    }
    return ended
  })()
  return Promise.race([heard, ended])
}
