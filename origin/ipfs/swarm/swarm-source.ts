// Blocks from the configured peers, over Bitswap. One peer is asked for a block, and the next one where it has none, or
// takes long: asked all at once, each would send it.

import type { PeerId } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'
import { decodeCid } from '../../../shared/ipfs/cid.ts'
import type { BlockSource } from '../../../shared/ports/block-source.ts'
import type { Wait } from '../../../shared/ports/bucket.ts'
import type { Clock } from '../../../shared/ports/clock.ts'
import { deadline } from '../../../shared/concurrency/deadline.ts'
import type { Cid } from '../../../shared/protocol/cid.ts'
import { UpstreamError } from '../../../shared/protocol/errors.ts'
import type { Bitswap } from './bitswap.ts'
import type { ConfiguredPeer, ConnectedPeer, PeerLinks } from './peer-links.ts'
import { createSlots, type Slots } from '../../../shared/concurrency/slots.ts'

/** Half of what one batch of a Mirrorball holds (served-blocks.ts): more would be answered "do not have". */
const wantsAtOnce = 8

/** How long a peer is asked alone before the next one is asked too. */
const headStartMs = 1_000

export interface SwarmSourceOptions {
  readonly peers: readonly ConfiguredPeer[]
  readonly links: PeerLinks
  readonly bitswap: Pick<Bitswap, 'ask'>
  /** How long one peer may take to send a block, or to say that it has none. */
  readonly searchMs: number
  readonly clock: Clock
}

export function createSwarmSource({ peers, links, bitswap, searchMs, clock }: SwarmSourceOptions): BlockSource {
  const slots = new Map<string, Slots>(peers.map(({ id }) => [id.toString(), createSlots(wantsAtOnce)]))
  let preferred: PeerId | undefined

  async function connectedPeers({ signal }: Wait): Promise<readonly ConnectedPeer[]> {
    if (links.connected().length === 0) {
      const time = deadline(
        clock,
        searchMs,
        signal,
        () => new UpstreamError('ipfs', 'no peer could be reached in time'),
      )
      try {
        await links.settled(time.signal)
      } finally {
        time.clear()
      }
    }
    const connected = links.connected()
    if (connected.length === 0) throw new UpstreamError('ipfs', 'none of the configured peers is connected')
    const isPreferred = ({ id }: ConnectedPeer) => Number(preferred?.equals(id))
    return connected.toSorted((a, b) => isPreferred(b) - isPreferred(a))
  }

  async function askOne(peer: ConnectedPeer, cid: CID, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const name = peer.id.toString()
    const silent = () => new UpstreamError('ipfs', `peer ${name} did not answer within ${searchMs} ms`)
    const connected = AbortSignal.any([signal, peer.lost])
    const ask = async () => {
      const time = deadline(clock, searchMs, connected, silent)
      try {
        const bytes = await bitswap.ask(peer.id, cid, time.signal)
        if (bytes !== undefined) preferred = peer.id
        return bytes
      } catch (error) {
        time.signal.throwIfAborted()
        throw new UpstreamError('ipfs', `peer ${name} could not be asked`, { cause: error })
      } finally {
        time.clear()
      }
    }
    return await (slots.get(name)?.run(connected, ask) ?? ask())
  }

  return {
    name: 'ipfs peers',
    open: () => ({
      async block(cid: Cid, wait: Wait) {
        wait.signal.throwIfAborted()
        if (peers.length === 0) return undefined
        const asked = decodeCid(cid)
        const asks = (await connectedPeers(wait)).map((peer) => (signal: AbortSignal) => askOne(peer, asked, signal))
        return await firstFound(asks, clock, wait.signal)
      },
      close() {},
    }),
  }
}

type Ask = (signal: AbortSignal) => Promise<Uint8Array | undefined>

/** The first block that comes, each ask with a head start on the next. Without one: undefined where all said no, else the first failure. */
async function firstFound(asks: readonly Ask[], clock: Clock, parent: AbortSignal): Promise<Uint8Array | undefined> {
  const found = new AbortController()
  const signal = AbortSignal.any([parent, found.signal])
  const result = Promise.withResolvers<Uint8Array | undefined>()
  const failures: unknown[] = []
  let [begun, ended] = [0, 0]
  let cancelNext: () => void = () => {}

  function askNext(): void {
    const ask = asks[begun]
    if (ask === undefined || signal.aborted) return
    begun += 1
    cancelNext()
    if (begun < asks.length) cancelNext = clock.after(headStartMs, askNext)
    void ask(signal)
      .then((bytes) => {
        if (bytes !== undefined) result.resolve(bytes)
      })
      .catch((error: unknown) => void failures.push(error))
      .finally(() => {
        ended += 1
        if (ended < asks.length) askNext()
        else if (failures.length === 0) result.resolve(undefined)
        else result.reject(failures[0])
      })
  }

  askNext()
  try {
    return await result.promise
  } finally {
    cancelNext()
    found.abort()
  }
}
