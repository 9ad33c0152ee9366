// Memory for bytes that arrive and are not stored yet, in blocks that are shared by all uploads of a process and used
// again: so many uploads hold no more than few. When all blocks are in use, who wants one waits until a piece is stored;
// and where nothing is being stored, because clients are slow, who holds most has to store what it has.

import { orAborted } from '../../shared/concurrency/or-aborted.ts'

/** Bytes of a block. */
export const blockBytes = 512 * 1024

export interface UploadMemory {
  /** Bytes for all. */
  readonly limitBytes: number
  /** How many uploads hold some, or are about to. */
  readonly holders: number
  /** @param giveUp is called when others need what this one holds: it has to store that, and not to wait for more */
  join(giveUp: () => void): MemoryHolding
}

export interface MemoryHolding {
  /** Waits for another block. Undefined: there is none before this one has stored what it holds. */
  take(signal: AbortSignal): Promise<Buffer | undefined>
  /** These blocks are being stored, and soon free. Returns how to give them back, once. */
  storing(blocks: readonly Buffer[]): () => void
  /** No more blocks. @param blocks that are still held, and not being stored */
  leave(blocks: readonly Buffer[]): void
}

interface Holder {
  blocks: number
  readonly giveUp: () => void
}

interface Waiting {
  readonly holder: Holder
  readonly resolve: (block: Buffer | undefined) => void
}

/** @param limitBytes at least a few blocks */
export function createUploadMemory(limitBytes: number): UploadMemory {
  const holders = new Set<Holder>()
  const waiting = new Set<Waiting>()
  const unused: Buffer[] = []
  let free = Math.floor(limitBytes / blockBytes)
  let storing = 0

  /** In order of arrival, so that nobody waits forever. */
  function serve(): void {
    for (const next of waiting) {
      if (free === 0) break
      waiting.delete(next)
      free -= 1
      next.holder.blocks += 1
      next.resolve(unused.pop() ?? Buffer.allocUnsafeSlow(blockBytes))
    }
    if (waiting.size > 0 && storing === 0) askLargest()
  }

  function askLargest(): void {
    let largest: Holder | undefined
    for (const holder of holders) if (holder.blocks > (largest?.blocks ?? 0)) largest = holder
    if (largest === undefined) return
    const asking = [...waiting].find(({ holder }) => holder === largest)
    if (asking === undefined) return largest.giveUp()
    waiting.delete(asking)
    asking.resolve(undefined)
  }

  function giveBack(blocks: readonly Buffer[]): void {
    free += blocks.length
    unused.push(...blocks)
    serve()
  }

  return {
    limitBytes,
    get holders() {
      return holders.size
    },

    join(giveUp) {
      const holder: Holder = { blocks: 0, giveUp }
      holders.add(holder)
      return {
        async take(signal) {
          signal.throwIfAborted()
          const asked = Promise.withResolvers<Buffer | undefined>()
          const entry = { holder, resolve: asked.resolve }
          waiting.add(entry)
          serve()
          try {
            return await orAborted(signal, asked.promise)
          } catch (error) {
            // It may have been served just now.
            if (!waiting.delete(entry)) {
              const block = await asked.promise
              if (block !== undefined) {
                holder.blocks -= 1
                giveBack([block])
              }
            }
            throw error
          }
        },

        storing(blocks) {
          holder.blocks -= blocks.length
          storing += 1
          return () => {
            storing -= 1
            giveBack(blocks)
          }
        },

        leave(blocks) {
          holders.delete(holder)
          giveBack(blocks)
          // Who uploads nothing needs no memory.
          if (holders.size === 0) unused.length = 0
        },
      }
    },
  }
}
