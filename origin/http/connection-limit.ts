// How many connections a client may have open: each costs memory and a descriptor before it has said a word.

import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Log } from '../../shared/ports/log.ts'
import {
  canonicalAddress,
  customerNetwork,
  type IpNetwork,
  isInNetworks,
  isLoopbackAddress,
} from '../../shared/protocol/ip-address.ts'

/** Of a client on another machine, behind whose address there may be a whole company. */
const defaultPerClient = 1000

export interface ConnectionLimit {
  /** 0: none. Undefined: a generous one, and none for clients on this machine. */
  readonly limit: number | undefined
  /** Proxies, which have the connections of all their clients. */
  readonly exempt: readonly IpNetwork[]
  readonly log: Log
}

/** Closes a connection at once that is one too many. */
export function limitConnections(server: Server, { limit, exempt, log }: ConnectionLimit): void {
  if (limit === 0) return
  const most = limit ?? defaultPerClient
  const open = new Map<string, number>()
  const told = new Set<string>()
  server.prependListener('connection', (socket: Socket) => {
    const address = canonicalAddress(socket.remoteAddress ?? '')
    if (address === undefined || isInNetworks(exempt, address)) return
    if (limit === undefined && isLoopbackAddress(address)) return
    const client = customerNetwork(address)
    const count = open.get(client) ?? 0
    if (count >= most) {
      // A line for each would let the client fill the disk.
      if (!told.has(client)) log.warn('a client has too many connections', { client, most })
      told.add(client)
      socket.destroy()
      return
    }
    open.set(client, count + 1)
    socket.once('close', () => {
      const left = (open.get(client) ?? 1) - 1
      if (left > 0) return void open.set(client, left)
      open.delete(client)
      told.delete(client)
    })
  })
}
