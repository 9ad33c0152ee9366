// Connections to the configured peers: dialled at the start, and again with growing pauses whenever one is lost.

import type { Libp2p, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Clock } from '../../../shared/ports/clock.ts'
import type { Log } from '../../../shared/ports/log.ts'
import { orAborted } from '../../../shared/concurrency/or-aborted.ts'
import { UpstreamError } from '../../../shared/protocol/errors.ts'

/** Pauses between two tries double from the one to the other. */
const [firstPauseMs, longestPauseMs] = [5_000, 300_000]

export interface ConfiguredPeer {
  readonly id: PeerId
  readonly addresses: readonly Multiaddr[]
}

export interface ConnectedPeer {
  readonly id: PeerId
  /** Aborted with an UpstreamError when the connection is lost. */
  readonly lost: AbortSignal
}

export interface PeerLinks {
  /** In the order of the configuration. */
  connected(): readonly ConnectedPeer[]
  /** Resolves once no peer is being dialled. */
  settled(signal: AbortSignal): Promise<void>
  stop(): void
}

/** Begins to dial. A peer that cannot be reached is a line in the log, and so is every change of that. */
export function keepPeersConnected(
  libp2p: Libp2p,
  peers: readonly ConfiguredPeer[],
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): PeerLinks {
  const stopped = new AbortController()
  const links = peers.map((peer) => createLink(libp2p, peer, { clock, log, stopped: stopped.signal }))
  const linkTo = (peer: PeerId) => links.find((link) => link.id.equals(peer))
  const onConnect = ({ detail }: CustomEvent<PeerId>) => linkTo(detail)?.connected()
  const onDisconnect = ({ detail }: CustomEvent<PeerId>) => linkTo(detail)?.disconnected()
  libp2p.addEventListener('peer:connect', onConnect)
  libp2p.addEventListener('peer:disconnect', onDisconnect)
  for (const link of links) link.dial()

  return {
    connected: () => links.flatMap(({ id, lost }) => (lost === undefined ? [] : [{ id, lost }])),
    async settled(signal) {
      await orAborted(signal, Promise.all(links.flatMap(({ dialling }) => dialling ?? [])))
    },
    stop() {
      libp2p.removeEventListener('peer:connect', onConnect)
      libp2p.removeEventListener('peer:disconnect', onDisconnect)
      stopped.abort(new UpstreamError('ipfs', 'the node stops'))
    },
  }
}

interface LinkContext {
  readonly clock: Clock
  readonly log: Log
  readonly stopped: AbortSignal
}

function createLink(libp2p: Libp2p, { id, addresses }: ConfiguredPeer, { clock, log, stopped }: LinkContext) {
  const peer = id.toString()
  let open: AbortController | undefined
  let dialling: Promise<void> | undefined
  let saidUnreachable = false
  let pauseMs = firstPauseMs
  let cancelDial: () => void = () => {}

  async function tryDial(): Promise<void> {
    try {
      await libp2p.dial([...addresses], { signal: stopped })
    } catch (error) {
      // A peer may have connected to us meanwhile.
      if (stopped.aborted || open !== undefined) return
      if (!saidUnreachable)
        log.warn('IPFS peer cannot be reached; it is tried again from time to time', { peer }, error)
      saidUnreachable = true
      dialLater()
    }
  }

  function dial(): void {
    dialling ??= tryDial().finally(() => {
      dialling = undefined
    })
  }

  function dialLater(): void {
    cancelDial()
    cancelDial = clock.after(pauseMs, dial)
    pauseMs = Math.min(pauseMs * 2, longestPauseMs)
  }

  stopped.addEventListener('abort', () => {
    cancelDial()
    open?.abort(stopped.reason)
    open = undefined
  })

  return {
    id,
    dial,
    get dialling() {
      return dialling
    },
    get lost() {
      return open?.signal
    },
    connected() {
      cancelDial()
      open ??= new AbortController()
      pauseMs = firstPauseMs
      saidUnreachable = false
      log.info('IPFS peer connected', { peer })
    },
    disconnected() {
      open?.abort(new UpstreamError('ipfs', `the connection to peer ${peer} was lost`))
      open = undefined
      log.warn('IPFS peer lost', { peer })
      dialLater()
    },
  }
}
