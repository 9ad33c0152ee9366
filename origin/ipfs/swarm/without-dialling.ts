// libp2p as Bitswap gets it: messages go to peers that are connected, and nobody is dialled.

import { isPeerId, type Libp2p, type Topology } from '@libp2p/interface'

/**
 * libp2p tells of the leaving only of those peers that had said what they speak. Here it is told of all, or Bitswap would
 * keep the wants of the others for ever.
 */
export function withoutDialling(
  libp2p: Libp2p,
): Pick<Libp2p, 'handle' | 'unhandle' | 'getConnections' | 'register' | 'unregister' | 'dialProtocol'> {
  const topologies = new Map<string, Topology>()
  libp2p.addEventListener('peer:disconnect', ({ detail: peer }) => {
    for (const topology of topologies.values()) void topology.onDisconnect?.(peer)
  })
  return {
    handle: libp2p.handle.bind(libp2p),
    unhandle: libp2p.unhandle.bind(libp2p),
    getConnections: libp2p.getConnections.bind(libp2p),
    async register(protocol, topology) {
      const id = await libp2p.register(protocol, topology)
      topologies.set(id, topology)
      return id
    },
    unregister(id) {
      topologies.delete(id)
      libp2p.unregister(id)
    },
    async dialProtocol(peer, protocols, options) {
      if (!isPeerId(peer)) throw new Error('Bitswap dials no address')
      const connection = libp2p.getConnections(peer).find(({ status }) => status === 'open')
      if (connection === undefined) throw new Error(`${peer.toString()} is not connected`)
      return await connection.newStream(protocols, options)
    },
  }
}
