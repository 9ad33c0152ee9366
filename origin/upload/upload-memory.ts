// Memory for bytes that arrive and are not stored yet, shared by all uploads of a process: so many uploads hold no more
// than few. When it is used up, who wants more waits until a piece is stored; and where nothing is being stored, because
// clients are slow, who holds most has to store what it has.

import { orAborted } from '../../shared/ports/or-aborted.ts'

export interface UploadMemory {
  /** Bytes for all. */
  readonly limitBytes: number
  /** How many uploads hold some, or are about to. */
  readonly holders: number
  /** @param giveUp is called when others need what this one gathers: it has to store that, and not to wait for more */
  join(giveUp: () => void): MemoryHolding
}

export interface MemoryHolding {
  /** Waits for room for more bytes. False: there is none before this one has stored what it gathered. */
  take(bytes: number, signal: AbortSignal): Promise<boolean>
  /** What was gathered is stored from now on. Returns how to give that memory back, once. */
  storing(): () => void
  /** Gives back what is gathered. */
  leave(): void
}

interface Holder {
  gathered: number
  readonly giveUp: () => void
}

interface Waiting {
  readonly holder: Holder
  readonly bytes: number
  readonly resolve: (taken: boolean) => void
}

export function createUploadMemory(limitBytes: number): UploadMemory {
  const holders = new Set<Holder>()
  const waiting = new Set<Waiting>()
  let free = limitBytes
  let storing = 0

  /** In order of arrival, so that nobody waits forever. */
  function serve(): void {
    for (const next of waiting) {
      if (next.bytes > free) break
      waiting.delete(next)
      free -= next.bytes
      next.holder.gathered += next.bytes
      next.resolve(true)
    }
    if (waiting.size > 0 && storing === 0) askLargest()
  }

  function askLargest(): void {
    let largest: Holder | undefined
    for (const holder of holders) if (holder.gathered > (largest?.gathered ?? 0)) largest = holder
    if (largest === undefined) return
    const asking = [...waiting].find(({ holder }) => holder === largest)
    if (asking === undefined) return largest.giveUp()
    waiting.delete(asking)
    asking.resolve(false)
  }

  return {
    limitBytes,
    get holders() {
      return holders.size
    },

    join(giveUp) {
      const holder: Holder = { gathered: 0, giveUp }
      holders.add(holder)
      return {
        async take(bytes, signal) {
          signal.throwIfAborted()
          const asked = Promise.withResolvers<boolean>()
          const entry = { holder, bytes, resolve: asked.resolve }
          waiting.add(entry)
          serve()
          try {
            return await orAborted(signal, asked.promise)
          } catch (error) {
            waiting.delete(entry)
            throw error
          }
        },

        storing() {
          const held = holder.gathered
          holder.gathered = 0
          storing += 1
          return () => {
            storing -= 1
            free += held
            serve()
          }
        },

        leave() {
          holders.delete(holder)
          free += holder.gathered
          holder.gathered = 0
          serve()
        },
      }
    },
  }
}
