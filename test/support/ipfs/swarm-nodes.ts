// Embedded IPFS nodes on loopback, and a peer that listens and says nothing.

import { randomBytes } from 'node:crypto'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { type Swarm, type SwarmOptions, startSwarm } from '../../../origin/ipfs/swarm/swarm.ts'
import { systemClock } from '../../../origin/compose/system-ports.ts'
import type { Block } from '../../../shared/ports/content-store.ts'
import type { LocalBlocks } from '../../../shared/ports/local-blocks.ts'
import { silentLog } from '../silent-log.ts'

export const anyPort = '/ip4/127.0.0.1/tcp/0'

export function publishing(blocks: readonly Block[]): LocalBlocks {
  const published = new Map(blocks.map(({ cid, bytes }) => [cid, bytes]))
  return { get: (cid) => Promise.resolve(published.get(cid)) }
}

export const newIdentity = (): Uint8Array => randomBytes(32)

/** @param options what matters to the test; by default a new node that listens, publishes nothing and has no peers */
export function startNode(options: Partial<SwarmOptions> = {}): Promise<Swarm> {
  return startSwarm({
    identity: newIdentity(),
    listen: [anyPort],
    peers: [],
    blocks: publishing([]),
    searchMs: 30_000,
    clock: systemClock,
    log: silentLog,
    ...options,
  })
}

export function addressOf(swarm: Swarm): string {
  const [address] = swarm.addresses()
  if (address === undefined) throw new Error('the node does not listen')
  return address
}

export interface SilentPeer {
  readonly address: string
  /** Resolves once somebody sent it a Bitswap message. */
  readonly asked: Promise<void>
  stop(): Promise<void>
}

/** Speaks Bitswap, that is takes messages, and never answers. */
export async function startSilentPeer(): Promise<SilentPeer> {
  const libp2p = await createLibp2p({
    addresses: { listen: [anyPort] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
  })
  const { promise: asked, resolve } = Promise.withResolvers<void>()
  await libp2p.handle('/ipfs/bitswap/1.2.0', () => resolve())
  return { address: String(libp2p.getMultiaddrs()[0]), asked, stop: async () => libp2p.stop() }
}
