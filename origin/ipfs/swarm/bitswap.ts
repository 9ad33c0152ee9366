// Helia's Bitswap on a libp2p node. It gets what it needs of Helia and no more: no routing, no storing of what arrives,
// and no way to dial. The `helia` package itself would load WebRTC, a DHT and much else that is never used here.

import { type BitswapBlockBrokerInit, withBitswap } from '@helia/bitswap'
import type { HeliaWithLibp2p } from '@helia/libp2p'
import type { Libp2p, PeerId } from '@libp2p/interface'
import type { Blockstore } from 'interface-blockstore'
import { base64 } from 'multiformats/bases/base64'
import type { CID } from 'multiformats/cid'
import { equals as equalDigests } from 'multiformats/hashes/digest'
import { sha256, sha512 } from 'multiformats/hashes/sha2'
import { orAborted } from '../../../shared/concurrency/or-aborted.ts'
import { type BitswapParts, partsOf } from './bitswap-parts.ts'
import { withoutDialling } from './without-dialling.ts'

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
  // Kept for each peer. The option's type spells the name otherwise than the code that reads it.
  maxWantListSize: 256,
}

/** Starts to speak Bitswap on `libp2p`, which need not be started yet; serves `blocks` to every peer. */
export async function startBitswap(libp2p: Libp2p, blocks: Blockstore): Promise<Bitswap> {
  const mixins: Mixin[] = []
  const brokers: Broker[] = []
  const host = {
    status: 'starting',
    logger: libp2p.logger,
    libp2p: withoutDialling(libp2p),
    blockstore: blocks,
    routing: {},
    getHasher: (code: number) => {
      const hasher = [sha256, sha512].find((hasher) => hasher.code === code)
      if (hasher === undefined) throw new Error(`blocks hashed by 0x${code.toString(16)} are not taken`)
      return hasher
    },
    addMixin: (mixin: Mixin) => void mixins.push(mixin),
    hasBlockBroker: () => false,
    addBlockBroker: (broker: Broker) => void brokers.push(broker),
  }
  // Its types ask for a whole Helia. These are the parts that Bitswap uses, as of the version that package.json names.
  const helia = host as unknown as Helia
  withBitswap(helia, settings)
  for (const mixin of mixins) await mixin.start?.(helia)
  const parts = partsOf(brokers[0])
  answerAgain(parts)
  return { ask: (peer, cid, signal) => ask(parts, peer, cid, signal), stop: () => parts.stop() }
}

/**
 * Bitswap leaves a want unanswered that it has answered before: for five seconds where it sent the block, and for as long
 * as the peer stays where it said "do not have". Who asks again shall have an answer again.
 */
function answerAgain({ peerWantLists }: BitswapParts): void {
  const receiveMessage = peerWantLists.receiveMessage.bind(peerWantLists)
  peerWantLists.receiveMessage = (peer, message) => {
    const wants = peerWantLists.ledgerMap.get(peer)?.wants
    for (const [key, { status, sentDoNotHave }] of wants ?? []) {
      if (status === 'sent' || (status === 'want' && sentDoNotHave === true)) wants?.delete(key)
    }
    receiveMessage(peer, message)
  }
}

/**
 * Asks as a session of Bitswap does, but listens before it asks, since a peer may answer before the question is known to
 * be sent, and tells "do not have" from failures.
 */
async function ask({ network, wantList }: BitswapParts, peer: PeerId, cid: CID, signal: AbortSignal) {
  signal.throwIfAborted()
  const answer = Promise.withResolvers<Uint8Array | undefined>()
  const onPresence = ({ detail: { sender, cid: named, has, block } }: Parameters<BitswapParts['onPresence']>[0]) => {
    if (!peer.equals(sender) || !equalDigests(named.multihash, cid.multihash)) return
    // A "have" announces the block that follows.
    if (block !== undefined || !has) answer.resolve(block)
  }
  wantList.addEventListener('presence', onPresence)
  const key = base64.encode(cid.multihash.bytes)
  const want = { cid: cid.bytes, priority: 1, sendDontHave: true, wantType: 'WantBlock' }
  const nothing = new Map<string, never>()
  try {
    network
      .sendMessage(
        peer,
        { full: false, pendingBytes: 0, wantlist: new Map([[key, want]]), blocks: nothing, blockPresences: nothing },
        {
          signal,
          onProgress: ({ type }) => {
            if (type === 'bitswap:send-wantlist:error') answer.reject(new Error('the want could not be sent'))
          },
        },
      )
      .catch(answer.reject)
    return await orAborted(signal, answer.promise)
  } finally {
    wantList.removeEventListener('presence', onPresence)
  }
}
