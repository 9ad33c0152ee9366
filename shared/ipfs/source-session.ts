// One read from several sources: each block is asked for from one source after the other until one gave the right bytes.

import type { BlockReader, BlockSource } from '../ports/block-source.ts'
import { blockLimitBytes } from '../ports/block-source.ts'
import type { Wait } from '../ports/bucket.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import { orAborted } from '../concurrency/or-aborted.ts'
import type { Cid } from '../protocol/cid.ts'
import { UpstreamError } from '../protocol/errors.ts'
import { NotFoundOnIpfs } from './content-errors.ts'
import { isBlock, parseBlockName } from './verify-block.ts'

export interface SessionOptions {
  readonly sources: readonly BlockSource[]
  readonly top: Cid
  readonly clock: Clock
  readonly log: Log
}

export interface SourceSession {
  /**
   * A block's bytes, verified. Rejects with NotFoundOnIpfs where every source answered that it has none, UpstreamError('ipfs')
   * where none had it and one of them lied or did not answer during this session, UnusableContent for a CID that is not
   * read, and the signal's reason.
   */
  block(cid: Cid, wait: Wait): Promise<Uint8Array>
  /** Ends everything with `reason`, which is what calls that wait reject with. */
  close(reason: unknown): void
}

/** A source while it is asked in a session. */
interface AskedSource {
  readonly name: string
  readonly reader: BlockReader
  /** Aborted once the source is no longer asked. */
  readonly dropped: AbortController
}

export function openSession({ sources, top, clock, log }: SessionOptions): SourceSession {
  /** In the order in which they are asked. */
  const asked: AskedSource[] = []
  const failures: string[] = []
  const unopened = [...sources]
  const closed = new AbortController()

  /** The source at a place in the order; a source that is never needed is never opened. */
  function sourceAt(place: number): AskedSource | undefined {
    if (place < asked.length) return asked[place]
    const source = unopened.shift()
    if (source === undefined) return undefined
    const opened = { name: source.name, reader: source.open(top), dropped: new AbortController() }
    asked.push(opened)
    return opened
  }

  /** Takes a source out of this session; says whether that had not happened yet. */
  function drop(source: AskedSource, why: string): boolean {
    const place = asked.indexOf(source)
    if (place < 0) return false
    asked.splice(place, 1)
    failures.push(`${source.name} ${why}`)
    source.dropped.abort(new UpstreamError('ipfs', `${source.name} ${why}`))
    source.reader.close()
    return true
  }

  /** What one source says: the right bytes, `none`, or `dropped`. */
  async function ask(source: AskedSource, cid: Cid, wait: Wait): Promise<Uint8Array | 'none' | 'dropped'> {
    const name = parseBlockName(cid)
    const fields = { source: source.name, cid }
    const call = either(wait.signal, source.dropped.signal)
    try {
      const bytes = await orAborted(call.signal, source.reader.block(cid, call))
      if (bytes === undefined) return 'none'
      if (bytes.byteLength <= blockLimitBytes && (await isBlock(name, bytes))) return bytes
      if (drop(source, 'sent wrong bytes')) log.warn('a source of IPFS sent wrong bytes', fields)
    } catch (error) {
      wait.signal.throwIfAborted()
      closed.signal.throwIfAborted()
      if (drop(source, 'failed')) log.warn('a source of IPFS failed', fields, error)
    } finally {
      call.release()
    }
    return 'dropped'
  }

  async function fromSources(cid: Cid, wait: Wait): Promise<Uint8Array> {
    const started = clock.now()
    const refused = new Set<AskedSource>()
    for (let place = 0, source = sourceAt(0); source !== undefined; source = sourceAt(place)) {
      if (refused.has(source)) {
        place += 1
        continue
      }
      const said = await ask(source, cid, wait)
      closed.signal.throwIfAborted()
      if (said === 'none') refused.add(source)
      else if (said !== 'dropped') {
        asked.sort((a, b) => Number(refused.has(a)) - Number(refused.has(b)))
        return said
      }
      // Others may have left the order or moved in it meanwhile: whoever was not asked yet comes next.
      place = 0
    }
    if (failures.length === 0) throw new NotFoundOnIpfs(cid, clock.now() - started)
    throw new UpstreamError('ipfs', `no source has ${cid}, but ${failures.join(', ')}`)
  }

  return {
    async block(cid, wait) {
      closed.signal.throwIfAborted()
      wait.signal.throwIfAborted()
      return parseBlockName(cid).inlined ?? fromSources(cid, wait)
    },
    close(reason) {
      if (closed.signal.aborted) return
      closed.abort(reason)
      unopened.length = 0
      for (const { reader, dropped } of asked.splice(0)) {
        dropped.abort(reason)
        reader.close()
      }
    },
  }
}

/** A signal that follows two others until it is released; unlike AbortSignal.any it leaves nothing behind on them. */
function either(first: AbortSignal, second: AbortSignal): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController()
  const ends = [first, second].map((signal) => {
    const onAbort = () => controller.abort(signal.reason)
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
    return () => signal.removeEventListener('abort', onAbort)
  })
  return {
    signal: controller.signal,
    release: () => {
      for (const end of ends) end()
    },
  }
}
