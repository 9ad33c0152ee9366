// Forta's Disco, the registry on Kubo's mutable file system whose images and folders Mirrorball takes over. It cannot be
// had from a package service, so tests take the program from DISCO_BIN, and are skipped by name without it.

import { spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type Client, missingClients } from '../clients/programs.ts'
import type { S3Access } from '../../../origin/bucket/s3-connection.ts'
import type { Kubo } from '../ipfs/kubo.ts'
import { freePort } from '../http/free-port.ts'
import { s3Parameters } from './distribution.ts'
import { eventually, temporaryFolder } from '../stack.ts'

export interface Disco {
  readonly url: string
  /** What it logged. */
  readonly log: readonly string[]
  /** The content name that it gave to an image: the CID of its root. Undefined where it made none. */
  rootOf(digest: string): Promise<string | undefined>
  stop(): Promise<void>
}

export interface DiscoOptions {
  /** Where it keeps images, and looks for those of others. */
  readonly kubo: Kubo
  /** The folder or the bucket of its cache. Without one it neither keeps a copy nor clones an image of another. */
  readonly cache?: string | S3Access
  /** Keeps images in the cache alone. */
  readonly cacheOnly?: boolean
}

/** What stands in the way of tests with Disco, Kubo and these clients; undefined where nothing does. */
export function missingForDisco(...clients: readonly Client[]): string | undefined {
  const missing = missingClients('ipfs', ...clients)
  if (process.env['DISCO_BIN'] !== undefined) return missing
  const disco = 'DISCO_BIN names no build of github.com/forta-network/disco'
  return missing === undefined ? disco : `${disco}, ${missing}`
}

/** Rejects with its log where it does not start. */
export async function startDisco({ kubo, cache, cacheOnly = false }: DiscoOptions): Promise<Disco> {
  const own = await temporaryFolder()
  const [port, innerPort] = [await freePort(), await freePort()]
  const configFile = join(own.path, 'config.yaml')
  // JSON is YAML.
  const config = {
    version: '0.1',
    log: { level: 'debug' },
    storage: {
      ipfs: {
        router: { nodes: [{ url: kubo.url }] },
        ...(cache === undefined ? {} : { cache: driverOf(cache) }),
        ...(cacheOnly ? { cacheonly: true } : {}),
      },
      maintenance: { uploadpurging: { enabled: false } },
    },
    // Of the Distribution inside, which Disco reaches at `localhost` with this appended.
    http: { addr: `:${innerPort}` },
  }
  await writeFile(configFile, JSON.stringify(config))
  const child = spawn(process.env['DISCO_BIN'] ?? '', [], {
    // Not ours: variables named REGISTRY_… override the file.
    env: { REGISTRY_CONFIGURATION_PATH: configFile, DISCO_PORT: String(port), OTEL_TRACES_EXPORTER: 'none' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const log: string[] = []
  for (const output of [child.stdout, child.stderr])
    createInterface({ input: output }).on('line', (line) => log.push(line))
  let over = false
  const ended = new Promise<void>((done) => {
    const end = () => {
      over = true
      done()
    }
    child.once('close', end)
    child.once('error', end)
  })
  const stop = async () => {
    child.kill('SIGTERM')
    await ended
    await own.remove()
  }
  const url = `http://127.0.0.1:${port}`
  try {
    await eventually('Disco answers', async () => over || answers(url))
    if (over) throw new Error('Disco ended')
  } catch (error) {
    await stop()
    throw new Error(`Disco did not start:\n${log.join('\n')}`, { cause: error })
  }
  return {
    url,
    log,
    async rootOf(digest) {
      const answer = await fetch(`${url}/v2/${digest.replace('sha256:', '')}/tags/list`)
      if (!answer.ok) return undefined
      const { tags } = (await answer.json()) as { tags: readonly string[] }
      return tags.find((tag) => tag.startsWith('bafybei'))
    },
    stop,
  }
}

function driverOf(cache: string | S3Access): object {
  return typeof cache === 'string' ? { filesystem: { rootdirectory: cache } } : { s3: s3Parameters(cache) }
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/v2/`)).ok
  } catch {
    return false
  }
}
