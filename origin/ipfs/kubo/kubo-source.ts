// Blocks from a Kubo node: those it has, and those it finds on its network.

import { decodeCid } from '../../../shared/ipfs/cid.ts'
import { type BlockSource, blockLimitBytes } from '../../../shared/ports/block-source.ts'
import type { Wait } from '../../../shared/ports/bucket.ts'
import type { Cid } from '../../../shared/protocol/cid.ts'
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
              // A node that was held up says so of a block that it has, too.
              if (isNo(error) || isOver(error)) return localBlock(kubo, cid, signal)
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

/** A block that the node has itself. */
async function localBlock(kubo: KuboClient, cid: Cid, signal: AbortSignal): Promise<Uint8Array | undefined> {
  // The client hands on options that it does not know.
  const options = { offline: true, signal }
  try {
    return await kubo.rpc.block.get(decodeCid(cid), options)
  } catch (error) {
    if (isNo(error)) return undefined
    throw error
  }
}

function isNo(error: unknown): boolean {
  const answer = kuboAnswer(error)
  return answer !== undefined && saysMissing(answer)
}

/** The time of a search was over: while it searched, or before it had begun. */
function isOver(error: unknown): boolean {
  const answer = kuboAnswer(error) ?? ''
  return ['context deadline exceeded', 'could not resolve name'].some((words) => answer.includes(words))
}
