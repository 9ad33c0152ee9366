// Helia's Bitswap on a libp2p node. It gets what it needs of Helia and no more: no routing, no storing of what arrives,
// and no way to dial. The `helia` package itself would load WebRTC, a DHT and much else that is never used here.

import { type BitswapBlockBrokerInit, withBitswap } from '@helia/bitswap'
import type { HeliaWithLibp2p } from '@helia/libp2p'
import { isPeerId, type Libp2p, type PeerId, type Topology } from '@libp2p/interface'
import type { Blockstore } from 'interface-blockstore'
import type { CID } from 'multiformats/cid'
import { sha256, sha512 } from 'multiformats/hashes/sha2'

type Helia = HeliaWithLibp2p
type Mixin = Parameters<Helia['addMixin']>[0]
type Broker = Exclude<Parameters<Helia['addBlockBroker']>[0], (components: never) => unknown>

export interface Bitswap {
  /**
   * A block from one connected peer, checked against the CID. Undefined: the peer said that it has none. Rejects where it
   * could not be asked; where it is silent, only with the signal.
   */
  ask(peer: PeerId, cid: CID, signal: AbortSignal): Promise<Uint8Array | undefined>
  stop(): Promise<void>
}

/** What is sent, or received, must be through within this time, or the stream is cut. */
const messageTimeoutMs = 60_000

const settings: BitswapBlockBrokerInit & { maxWantListSize: number } = {
  // A message of Kubo's is at most 4 MiB, and it takes none larger.
  maxIncomingMessageSize: 4 * 1024 * 1024,
  maxOutgoingMessageSize: 4 * 1024 * 1024,
  messageSendTimeout: messageTimeoutMs,
  messageReceiveTimeout: messageTimeoutMs,
  maxInboundStreams: 32,
  // Each want of a peer that cannot be met now is looked up again with its next message. The option's type spells the
  // name otherwise than the code that reads it.
  maxWantListSize: 256,
}

/** Starts to speak Bitswap on `libp2p`, which need not be started yet; serves `blocks` to every peer. */
export async function startBitswap(libp2p: Libp2p, blocks: Blockstore): Promise<Bitswap> {
  const connections = openConnectionsOf(libp2p)
  const mixins: Mixin[] = []
  const brokers: Broker[] = []
  const host = {
    status: 'starting',
    logger: libp2p.logger,
    libp2p: connections.libp2p,
    blockstore: blocks,
    routing: { findProviders: nobody },
    getHasher: (code: number) => {
      const hasher = [sha256, sha512].find((hasher) => hasher.code === code)
      if (hasher === undefined) throw new Error(`blocks hashed by 0x${code.toString(16)} are not taken`)
      return hasher
    },
    addMixin: (mixin: Mixin) => void mixins.push(mixin),
    hasBlockBroker: () => false,
    addBlockBroker: (broker: Broker) => void brokers.push(broker),
  }
  // These are the parts of Helia that its Bitswap uses, as of the version that package.json names.
  const helia = host as unknown as Helia
  withBitswap(helia, settings)
  for (const mixin of mixins) await mixin.start?.(helia)
  const [broker] = brokers
  if (broker === undefined) throw new Error('Bitswap did not start')

  return {
    async ask(peer, cid, signal) {
      const attempt = connections.attempt(peer)
      try {
        // A session drops a peer at its first "do not have", so each block has one of its own.
        const session = broker.createSession?.({ minProviders: 1, maxProviders: 1, providers: [peer.toCID()] })
        return await session?.retrieve?.(cid, { signal })
      } catch (error) {
        signal.throwIfAborted()
        // The session would now look for another peer: this is how it says that the one it had has no such block.
        const saidNo = error instanceof Error && error.name === 'InsufficientProvidersError'
        if (saidNo && !attempt.failed) return undefined
        throw error
      } finally {
        attempt.end()
      }
    },
    async stop() {
      if ('stop' in broker && typeof broker.stop === 'function') await broker.stop()
    },
  }
}

async function* nobody(): AsyncGenerator<never> {}

/**
 * libp2p without dialling: messages go to peers that are connected. libp2p also tells Bitswap only of the leaving of peers
 * that had said what they speak; here it is told of all, or it would keep the wants of the others for ever.
 */
function openConnectionsOf(libp2p: Libp2p) {
  const attempts = new Set<{ peer: PeerId; failed: boolean }>()
  const topologies = new Map<string, Topology>()

  libp2p.addEventListener('peer:disconnect', ({ detail: peer }) => {
    for (const topology of topologies.values()) void topology.onDisconnect?.(peer)
  })

  const dialProtocol: Libp2p['dialProtocol'] = async (peer, protocols, options) => {
    if (!isPeerId(peer)) throw new Error('Bitswap dials nobody')
    try {
      const connection = libp2p.getConnections(peer).find(({ status }) => status === 'open')
      if (connection === undefined) throw new Error(`${peer.toString()} is not connected`)
      return await connection.newStream(protocols, options)
    } catch (error) {
      for (const attempt of attempts) attempt.failed ||= attempt.peer.equals(peer)
      throw error
    }
  }

  return {
    /** Watches whether messages to a peer can be sent, until `end`. */
    attempt(peer: PeerId) {
      const attempt = { peer, failed: false, end: () => void attempts.delete(attempt) }
      attempts.add(attempt)
      return attempt
    },
    libp2p: {
      handle: libp2p.handle.bind(libp2p),
      unhandle: libp2p.unhandle.bind(libp2p),
      getConnections: libp2p.getConnections.bind(libp2p),
      async register(protocol: string, topology: Topology) {
        const id = await libp2p.register(protocol, topology)
        topologies.set(id, topology)
        return id
      },
      unregister(id: string) {
        topologies.delete(id)
        libp2p.unregister(id)
      },
      dialProtocol,
      dial: () => Promise.reject(new Error('Bitswap dials nobody')),
      isDialable: () => Promise.resolve(false),
    },
  }
}
