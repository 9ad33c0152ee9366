// Who may be dialled, and who may connect.

import type { ConnectionGater, Libp2p } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { ConfiguredPeer } from './peer-links.ts'

/** Connections from outside at once: of all, and of one host. Each may hold a batch of blocks in memory (served-blocks.ts). */
export const inboundLimits = { total: 96, perHost: 8 }

/**
 * Dials go to the addresses in the configuration and to no other: peers say where else they are to be found, and that may
 * be anywhere in our network.
 *
 * @param connections those that are open now
 */
export function connectionRules(
  peers: readonly ConfiguredPeer[],
  connections: () => ReturnType<Libp2p['getConnections']>,
  limits: typeof inboundLimits = inboundLimits,
): ConnectionGater {
  const dialled = new Set(peers.flatMap(({ addresses }) => addresses.map(String)))
  return {
    denyDialPeer: (id) => !peers.some((peer) => peer.id.equals(id)),
    denyDialMultiaddr: (address) => !dialled.has(address.toString()),
    denyInboundConnection({ remoteAddr }) {
      const inbound = connections().filter(({ direction }) => direction === 'inbound')
      const host = hostOf(remoteAddr)
      const ofHost = inbound.filter((connection) => hostOf(connection.remoteAddr) === host)
      return inbound.length >= limits.total || ofHost.length >= limits.perHost
    },
  }
}

function hostOf(address: Multiaddr): string | undefined {
  return address.getComponents()[0]?.value
}
