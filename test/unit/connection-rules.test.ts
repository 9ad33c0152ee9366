// Who may be dialled, and who may connect. The rules are tried on a real node.

import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import type { Libp2p } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { connectionRules } from '../../origin/ipfs/swarm/connection-rules.ts'
import { eventually } from '../support/stack.ts'
import { anyPort } from '../support/ipfs/swarm-nodes.ts'

const nodes: Libp2p[] = []
let target: Libp2p

async function start(gate?: (self: () => Libp2p) => ReturnType<typeof connectionRules>): Promise<Libp2p> {
  const node: Libp2p = await createLibp2p({
    addresses: { listen: [anyPort] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    ...(gate === undefined ? {} : { connectionGater: gate(() => node) }),
  })
  nodes.push(node)
  return node
}

beforeEach(async () => {
  target = await start()
})
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop()
})

const dialling = (peers: Parameters<typeof connectionRules>[0]) =>
  start((self) => connectionRules(peers, () => self().getConnections()))

test('a configured peer is dialled where the configuration says', async () => {
  const addresses = target.getMultiaddrs()
  const node = await dialling([{ id: target.peerId, addresses }])
  expect((await node.dial(addresses)).remotePeer.equals(target.peerId)).toBe(true)
})

test('a configured peer is not dialled where it says itself', async () => {
  const [address] = target.getMultiaddrs()
  const elsewhere = multiaddr(`/ip4/127.0.0.1/tcp/1/p2p/${target.peerId.toString()}`)
  const node = await dialling([{ id: target.peerId, addresses: [elsewhere] }])
  await node.peerStore.merge(target.peerId, { multiaddrs: target.getMultiaddrs() })
  await expect(node.dial(target.peerId)).rejects.toMatchObject({ name: 'DialDeniedError' })
  await expect(node.dial([address ?? elsewhere])).rejects.toMatchObject({ name: 'DialDeniedError' })
})

test('nobody else is dialled', async () => {
  const node = await dialling([])
  await expect(node.dial(target.getMultiaddrs())).rejects.toMatchObject({ name: 'DialDeniedError' })
})

test.each([
  ['of all', { total: 2, perHost: 8 }],
  ['of one host', { total: 8, perHost: 2 }],
])('more connections than the limit %s are turned away, until one is closed', async (_, limits) => {
  const server = await start((self) => connectionRules([], () => self().getConnections(), limits))
  const [first, second, third] = [await start(), await start(), await start()]
  await first.dial(server.getMultiaddrs())
  const connection = await second.dial(server.getMultiaddrs())
  await expect(third.dial(server.getMultiaddrs())).rejects.toThrow(Error)
  const closed = new Promise((resolve) => {
    server.addEventListener('connection:close', resolve, { once: true })
  })
  await connection.close()
  await closed
  await third.dial(server.getMultiaddrs())
  await eventually('the server has it too', () => server.getConnections().length === 2)
})
