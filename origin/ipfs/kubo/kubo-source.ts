// Blocks from a Kubo node: those it has, and those it finds on its network.

import { decodeCid } from '../../../shared/ipfs/cid.ts'
import { type BlockSource, blockLimitBytes } from '../../../shared/ports/block-source.ts'
import type { Wait } from '../../../shared/ports/bucket.ts'
import { UpstreamError } from '../../../shared/protocol/errors.ts'
import { type KuboClient, kuboAnswer, saysMissing } from './kubo-client.ts'

export interface KuboSourceDeps {
  readonly kubo: KuboClient
  /** Milliseconds that Kubo may look for a block on its network. */
  readonly searchMs: number
}

export function createKuboSource({ kubo, searchMs }: KuboSourceDeps): BlockSource {
  return {
    name: 'kubo',
    open() {
      const closing = new AbortController()
      return {
        block(cid, wait) {
          const work = async ({ signal }: Wait) => {
            try {
              // Kubo ends the search itself, and says so: only a node that is stuck comes to our own limit.
              return await kubo.rpc.block.get(decodeCid(cid), { timeout: searchMs, signal })
            } catch (error) {
              const answer = kuboAnswer(error)
              if (answer !== undefined && (saysMissing(answer) || saysSearchOver(answer))) return undefined
              throw error
            }
          }
          const either = { signal: AbortSignal.any([wait.signal, closing.signal]) }
          return kubo.call(`block/get ${cid}`, either, work, searchMs + kubo.timeoutMs).then((bytes) => {
            if (bytes !== undefined && bytes.byteLength > blockLimitBytes)
              throw new UpstreamError('ipfs', `block ${cid} of Kubo has ${bytes.byteLength} bytes, over the limit`)
            return bytes
          })
        },
        close: () => closing.abort(new UpstreamError('ipfs', 'the reader of blocks was closed')),
      }
    },
  }
}

function saysSearchOver(answer: string): boolean {
  return answer.includes('context deadline exceeded')
}
