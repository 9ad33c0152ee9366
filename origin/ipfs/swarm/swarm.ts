// The embedded IPFS node: serves published blocks to peers over Bitswap, and asks the configured peers for blocks. TCP,
// Noise, Yamux, Identify and Bitswap, and nothing that looks for further peers. Loading this file takes tens of megabytes:
// import it when it is needed.

import { noise } from '@libp2p/noise'
import { identify } from '@libp2p/identify'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import type { Libp2p } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import type { BlockSource } from '../../../shared/ports/block-source.ts'
import type { Clock } from '../../../shared/ports/clock.ts'
import type { LocalBlocks } from '../../../shared/ports/local-blocks.ts'
import type { Log } from '../../../shared/ports/log.ts'
import { startBitswap } from './bitswap.ts'
import { connectionRules, inboundLimits } from './connection-rules.ts'
import { type ConfiguredPeer, keepPeersConnected } from './peer-links.ts'
import { createServedBlocks } from './served-blocks.ts'
import { createSwarmSource } from './swarm-source.ts'

export interface SwarmOptions {
  /** Seed of the node's Ed25519 key (accounts/swarm-key.ts), 32 bytes. */
  readonly identity: Uint8Array
  /** Multiaddrs to listen on, e.g. `/ip4/127.0.0.1/tcp/4001`. Without any, the node only dials. */
  readonly listen: readonly string[]
  /** Multiaddrs of the peers to stay connected with, each with its `/p2p/<id>`. A peer may have several. */
  readonly peers: readonly string[]
  /** What is handed out, to anybody who connects. */
  readonly blocks: LocalBlocks
  /** How long one peer may take to send a block, or to say that it has none. */
  readonly searchMs: number
  readonly clock: Clock
  readonly log: Log
}

export interface Swarm {
  /** Where the node listens, with its real ports and its id; empty where it does not. */
  addresses(): readonly string[]
  readonly source: BlockSource
  stop(): Promise<void>
}

/**
 * Starts the node; does not wait for its peers.
 * @throws Error where an address is malformed, or cannot be listened on
 */
export async function startSwarm({
  identity,
  listen,
  peers,
  blocks,
  searchMs,
  clock,
  log,
}: SwarmOptions): Promise<Swarm> {
  const configured = parsePeers(peers)
  const libp2p: Libp2p = await createLibp2p({
    start: false,
    privateKey: await generateKeyPairFromSeed('Ed25519', identity),
    nodeInfo: { name: 'mirrorball', userAgent: 'mirrorball' },
    addresses: { listen: [...listen] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    // Another initial window than the protocol's makes it send more than Go nodes allow, and they hang up.
    streamMuxers: [yamux()],
    connectionManager: { maxConnections: inboundLimits.total + 2 * configured.length },
    connectionGater: connectionRules(configured, () => libp2p.getConnections()),
    services: { identify: identify() },
  })
  // What a stranger said of itself goes with it; strangers may come under a new name each time.
  libp2p.addEventListener('peer:disconnect', ({ detail: peer }) => {
    if (!configured.some(({ id }) => id.equals(peer))) libp2p.peerStore.delete(peer).catch(() => {})
  })
  const bitswap = await startBitswap(libp2p, createServedBlocks(blocks, log))
  try {
    await libp2p.start()
  } catch (error) {
    await bitswap.stop()
    await libp2p.stop()
    throw error
  }
  const links = keepPeersConnected(libp2p, configured, { clock, log })
  return {
    addresses: () => libp2p.getMultiaddrs().map(String),
    source: createSwarmSource({ peers: configured, links, bitswap, searchMs, clock }),
    async stop() {
      links.stop()
      await bitswap.stop()
      await libp2p.stop()
    },
  }
}

function parsePeers(peers: readonly string[]): readonly ConfiguredPeer[] {
  const addresses = peers.map((peer) => multiaddr(peer))
  const ids = addresses.map((address) => {
    const last = address.getComponents().at(-1)
    if (last?.name !== 'p2p' || last.value === undefined)
      throw new Error(`${address.toString()} lacks /p2p/ and the peer's id`)
    return last.value
  })
  return [...new Set(ids)].map((id) => ({
    id: peerIdFromString(id),
    addresses: addresses.filter((_, index) => ids[index] === id),
  }))
}
