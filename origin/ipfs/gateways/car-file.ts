// The parts of one file out of a CAR that a gateway streams. A part that comes before it is asked for waits in a small
// window; one that does not come in its turn is left to be asked for alone.

import type { Wait } from '../../../shared/ports/bucket.ts'
import type { Block } from '../../../shared/ports/content-store.ts'
import { orAborted } from '../../../shared/concurrency/or-aborted.ts'
import type { Cid } from '../../../shared/protocol/cid.ts'
import { UpstreamError } from '../../../shared/protocol/errors.ts'
import { carBlocks } from './car-blocks.ts'
import { fileLinks } from './file-links.ts'
import type { LimitedAnswer } from './limited-answer.ts'

export interface CarFile {
  /** Whether a block is a part of this file that is still to be asked for. */
  expects(cid: Cid): boolean
  /** Adds the parts of a node of the file that came another way. */
  expect(parts: readonly Cid[]): void
  /** A part's bytes, unchecked. Undefined: not from this CAR. Rejects with UpstreamError('ipfs') where the gateway does not answer. */
  part(cid: Cid, wait: Wait): Promise<Uint8Array | undefined>
  /** Whether nothing will come any more. */
  readonly ended: boolean
  close(): void
}

/** Bytes that may come before they are asked for, and while a part that is asked for does not come. */
const windowLimitBytes = 4 * 1024 * 1024

/** Bytes of blocks that are no part of the file, beside as many as its parts had: the file's own node, and those that are sent twice. */
const strayLimitBytes = 8 * 1024 * 1024

/** A reader takes a run of equal blocks from the first one, and the others have to be passed by: those count less. */
const repeatDiscount = 16

/** What a block takes beside its bytes, about: many tiny ones are to count as well. */
const overheadBytes = 256

/** @param openCar sends the request; called once, when the first part is asked for */
export function createCarFile(openCar: () => Promise<LimitedAnswer>): CarFile {
  /** Parts that are still to be asked for, and how often: the same zeros may be in many places. */
  const expected = new Map<Cid, number>()
  const window = new Map<Cid, Uint8Array>()
  const seen = new Set<Cid>()
  const asked = new Map<Cid, PromiseWithResolvers<Uint8Array | undefined>>()
  let windowBytes = 0
  let uselessBytes = 0
  let strayBytes = 0
  let usefulBytes = 0
  let answer: LimitedAnswer | undefined
  /** Whether a block that the file has twice also comes twice. */
  let repeats = true
  let pumping = false
  let ended = false

  function expect(parts: readonly Cid[]): void {
    for (const cid of parts) expected.set(cid, (expected.get(cid) ?? 0) + 1)
  }

  function countDown(cid: Cid): void {
    const left = (expected.get(cid) ?? 1) - 1
    if (left > 0) expected.set(cid, left)
    else expected.delete(cid)
  }

  /** A part that came before it was asked for; kept, and copied, where the file has it once more further on. */
  function fromWindow(cid: Cid): Uint8Array | undefined {
    const bytes = window.get(cid)
    usefulBytes += bytes?.byteLength ?? 0
    if (expected.has(cid)) return bytes?.slice()
    forget(cid)
    return bytes
  }

  function forget(cid: Cid): void {
    windowBytes -= (window.get(cid)?.byteLength ?? -overheadBytes) + overheadBytes
    window.delete(cid)
  }

  function leaveAsked(): void {
    for (const { resolve } of asked.values()) resolve(undefined)
    asked.clear()
  }

  function end(): void {
    ended = true
    answer?.cancel()
    window.clear()
    leaveAsked()
  }

  function onBlock({ cid, bytes }: Block): void {
    const sizeBytes = bytes.byteLength + overheadBytes
    const waiting = asked.get(cid)
    const uselessCost = seen.has(cid) && expected.has(cid) ? sizeBytes / repeatDiscount : sizeBytes
    uselessBytes = waiting === undefined ? uselessBytes + uselessCost : 0
    if (waiting === undefined && (!expected.has(cid) || window.has(cid))) {
      strayBytes += uselessCost
      if (strayBytes > strayLimitBytes + usefulBytes) end()
    } else {
      seen.add(cid)
      expect(fileLinks(cid, bytes))
      if (waiting === undefined) {
        window.set(cid, bytes)
        windowBytes += sizeBytes
      } else {
        asked.delete(cid)
        usefulBytes += bytes.byteLength
        waiting.resolve(bytes)
      }
    }
    for (const [oldest] of window) {
      if (windowBytes <= windowLimitBytes) break
      forget(oldest)
    }
    // What was asked for has been left out, or comes much later.
    if (uselessBytes > windowLimitBytes) {
      if ([...asked.keys()].some((each) => seen.has(each))) repeats = false
      leaveAsked()
    }
  }

  async function open(): Promise<LimitedAnswer | undefined> {
    const opened = await openCar()
    if (opened.status === 200 && /^application\/vnd\.ipld\.car\b/.test(opened.contentType)) {
      repeats = /\bdups=y\b/.test(opened.contentType)
      return opened
    }
    opened.cancel()
    // A gateway need not have CARs, and says so in various ways; these two say that it is not well.
    if (opened.status === 429 || (opened.status >= 500 && opened.status !== 501))
      throw new UpstreamError('ipfs', `a CAR was answered ${opened.status}`)
    return undefined
  }

  let blocks: AsyncGenerator<Block, void, undefined> | undefined

  /** Reads on for as long as somebody waits for a part. */
  async function pump(): Promise<void> {
    if (blocks === undefined) {
      answer = await open()
      if (answer === undefined || ended) return end()
      blocks = carBlocks(answer)
    }
    // The end is read as well, so that the connection can be used again.
    while ((asked.size > 0 || expected.size === 0) && !ended) {
      // However a CAR breaks off or turns into something else, what is missing can still be asked for.
      const next = await blocks.next().catch((error: unknown) => {
        if (answer?.stalled) throw error
        return undefined
      })
      if (next === undefined || next.done === true) return end()
      onBlock(next.value)
    }
  }

  function startPump(): void {
    if (pumping) return
    pumping = true
    uselessBytes = 0
    pump()
      .catch((error: unknown) => {
        for (const { reject } of asked.values()) reject(error)
        asked.clear()
        end()
      })
      .finally(() => {
        pumping = false
        if (asked.size > 0) startPump()
      })
  }

  return {
    expects: (cid) => expected.has(cid),
    expect,
    get ended() {
      return ended
    },
    async part(cid, { signal }) {
      countDown(cid)
      const bytes = fromWindow(cid)
      if (bytes !== undefined || ended || asked.has(cid) || (!repeats && seen.has(cid))) return bytes
      const waiting = Promise.withResolvers<Uint8Array | undefined>()
      waiting.promise.catch(() => {}) // Whoever waits for it hears of it, if anybody still does.
      asked.set(cid, waiting)
      startPump()
      return orAborted(signal, waiting.promise)
    },
    close: end,
  }
}
