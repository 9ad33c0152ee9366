// What is used of the inside of Helia's Bitswap, in one place: its types keep this private, so another version may have it
// otherwise. test/interop/swarm.test.ts and swarm-kubo.test.ts would fail.

import type { PeerId } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'

export interface BitswapParts {
  readonly network: {
    sendMessage(peer: PeerId, message: WantMessage, options: SendOptions): Promise<void>
  }
  /** Emits `presence` for every block and every "have" or "do not have" that arrives. */
  readonly wantList: {
    addEventListener(type: 'presence', listener: BitswapParts['onPresence']): void
    removeEventListener(type: 'presence', listener: BitswapParts['onPresence']): void
  }
  /** What the peers want of us. */
  readonly peerWantLists: {
    receiveMessage(peer: PeerId, message: unknown): void
    readonly ledgerMap: { get(peer: PeerId): { readonly wants: Map<string, PeerWant> } | undefined }
  }
  onPresence(event: { readonly detail: Presence }): void
  stop(): Promise<void>
}

interface WantMessage {
  readonly full: boolean
  readonly pendingBytes: number
  /** By the multihash in base64. */
  readonly wantlist: ReadonlyMap<
    string,
    {
      readonly cid: Uint8Array
      readonly priority: number
      readonly sendDontHave: boolean
      readonly wantType: string
    }
  >
  readonly blocks: ReadonlyMap<string, never>
  readonly blockPresences: ReadonlyMap<string, never>
}

interface SendOptions {
  readonly signal: AbortSignal
  readonly onProgress: (event: { readonly type: string }) => void
}

interface Presence {
  readonly sender: PeerId
  /** Made from the bytes where there is a block. */
  readonly cid: CID
  readonly has: boolean
  readonly block?: Uint8Array
}

interface PeerWant {
  readonly status: 'want' | 'sending' | 'sent'
  readonly sentDoNotHave?: boolean
}

export function partsOf(broker: unknown): BitswapParts {
  const { bitswap } = broker as { bitswap?: Partial<BitswapParts> }
  if (bitswap?.network === undefined || bitswap.wantList === undefined || bitswap.peerWantLists === undefined)
    throw new Error('this version of @helia/bitswap is not the one this was written for')
  return bitswap as BitswapParts
}
