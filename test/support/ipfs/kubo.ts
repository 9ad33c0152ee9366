// A real Kubo node, alone in the world: on loopback, with a repository of its own, without bootstrap and routing.

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { create, type KuboRPCClient } from 'kubo-rpc-client'
import { startDaemon } from '../clients/daemon.ts'
import { runClient } from '../clients/programs.ts'
import { temporaryFolder } from '../stack.ts'

export interface Kubo {
  /** Of the RPC. */
  readonly url: string
  /** A client of the test's own. */
  readonly rpc: KuboRPCClient
  /** Multiaddress with the peer's identity; undefined where it has no swarm. */
  readonly address: string | undefined
  /** Of its trustless gateway; undefined where it has none. */
  readonly gateway: URL | undefined
  /** Connects to another node, of whatever kind. */
  connect(other: Pick<Kubo, 'address'>): Promise<void>
  /** Runs the garbage collector to its end. */
  collectGarbage(): Promise<void>
  /** A block that the node has itself. */
  localBlock(cid: string): Promise<Uint8Array | undefined>
  stop(): Promise<void>
}

export interface KuboOptions {
  /** Whether it listens for other nodes; it can dial them in any case. */
  readonly swarm?: boolean
  readonly gateway?: boolean
  /** Settings beside these, by their names: `Gateway.NoFetch`. */
  readonly config?: Readonly<Record<string, unknown>>
}

export async function startKubo({ swarm = false, gateway = false, config = {} }: KuboOptions = {}): Promise<Kubo> {
  const folder = await temporaryFolder()
  const repository = join(folder.path, 'repository')
  const environment = { IPFS_PATH: repository, IPFS_TELEMETRY: 'off' }
  await runClient('ipfs', ['init', '--profile', 'test'], environment)
  await configure(join(repository, 'config'), {
    'Addresses.Swarm': swarm ? [anyPort] : [],
    'Addresses.Gateway': gateway ? [anyPort] : [],
    'Routing.Type': 'none',
    ...config,
  })
  const url = async () => `http://127.0.0.1:${(await readFile(join(repository, 'api'), 'utf8')).split('/')[4]}`
  const rpc = async () => create({ url: await url() })
  const gatewayUrl = async () =>
    gateway ? new URL((await readFile(join(repository, 'gateway'), 'utf8')).trim()) : undefined
  const answers = async () => (await (await rpc()).id()).agentVersion !== '' && (await gatewayUrl(), true)
  const end = await startDaemon('ipfs', ['daemon'], answers, environment)
  const stop = async () => {
    await end()
    await folder.remove()
  }
  return node(await url(), await rpc(), await gatewayUrl(), stop)
}

const anyPort = '/ip4/127.0.0.1/tcp/0'

async function configure(file: string, settings: Readonly<Record<string, unknown>>): Promise<void> {
  const config = JSON.parse(await readFile(file, 'utf8')) as Record<string, Record<string, unknown>>
  for (const [setting, value] of Object.entries(settings)) {
    const [section = '', name = ''] = setting.split('.')
    config[section] = { ...config[section], [name]: value }
  }
  await writeFile(file, JSON.stringify(config))
}

async function node(
  url: string,
  rpc: KuboRPCClient,
  gateway: URL | undefined,
  stop: () => Promise<void>,
): Promise<Kubo> {
  const { addresses } = await rpc.id()
  return {
    url,
    rpc,
    address: addresses.map(String).find((address) => address.startsWith('/ip4/127.0.0.1/tcp/')),
    gateway,
    async connect({ address }) {
      if (address === undefined) throw new Error('the other node has no swarm')
      // The library's types ask for an object, and it sends the text.
      await rpc.swarm.connect(address as never)
    },
    async collectGarbage() {
      for await (const { err } of rpc.repo.gc()) if (err) throw err
    },
    async localBlock(cid) {
      const answer = await fetch(`${url}/api/v0/block/get?offline=true&arg=${cid}`, { method: 'POST' })
      const bytes = new Uint8Array(await answer.arrayBuffer())
      if (answer.ok) return bytes
      const message = new TextDecoder().decode(bytes)
      if (message.includes('not found locally')) return undefined
      throw new Error(message)
    },
    stop,
  }
}
