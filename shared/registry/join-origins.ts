// Origins that write to one bucket know of each other by a mark that each keeps there. One that cannot be beside another
// does not start (docs/decisions/0015).
//
// Whether another one lives is seen by its renewing its mark, and not by the time in it: clocks differ, and a mark that a
// crash left must neither keep an origin from starting again, nor be taken for gone too early. A time is believed only
// where no clock can be so wrong: S3 refuses whose clock is off by more than 15 minutes.

import { originKey, originsPrefix, parseOriginKey } from '../layout/keys.ts'
import type { Bucket, Wait } from '../ports/bucket.ts'
import type { Clock } from '../ports/clock.ts'
import { deadline, pause } from '../concurrency/deadline.ts'
import type { Log } from '../ports/log.ts'
import { orAborted } from '../concurrency/or-aborted.ts'
import type { Random } from '../ports/random.ts'
import { type Repeating, startRepeating } from '../concurrency/repeat.ts'
import { UpstreamError } from '../protocol/errors.ts'
import { type OriginMark, originMarkBytes, type OriginTraits, parseOriginMark, whyNotBeside } from './origin-mark.ts'

/** Milliseconds from one renewal to the next: of one that serves, and of one that waits whether another lives. */
const [renewEveryMs, waitingRenewEveryMs] = [30_000, 5_000]

/** Milliseconds without a renewal after which an origin counts as dead. */
const deadAfterMs = 90_000

/** Milliseconds from the time in a mark after which its origin is dead whatever clocks say. */
const surelyDeadMs = 3600_000

/** Milliseconds for one renewal with a look at the others; and to remove the mark at the end. */
const [roundTimeoutMs, leaveTimeoutMs] = [25_000, 5_000]

/** Bytes; a mark has about 500. */
const markLimitBytes = 64 * 1024

export interface JoinDeps {
  readonly bucket: Bucket
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Asked for each renewal: keys may change while an origin runs. */
  readonly traits: () => Promise<OriginTraits>
}

/** Another origin's mark, as it was seen over time. */
interface Other {
  readonly text: string
  /** Undefined where it could not be made out. */
  readonly mark: OriginMark | undefined
  /** When it was first seen so, by our clock. */
  readonly sinceMs: number
  /** Whether it was seen to be renewed: its origin lives. */
  readonly lives: boolean
}

/**
 * Resolves once this origin may write; that may take until another one is known to be dead. From then on says in the log
 * what does not go together, at each look, and never rejects. Its `stop` removes the mark.
 * @throws Error that says what to do, where this origin cannot be beside another one that lives
 */
export async function joinOrigins(deps: JoinDeps, wait: Wait): Promise<Repeating> {
  const { bucket, clock, random, log } = deps
  const id = random.uuid()
  const key = originKey(id)
  const others = new Map<string, Other>()

  /** Renews the mark, and then looks: of two that do so at once one sees the other at least. */
  async function round(ready: boolean, parent: AbortSignal): Promise<OriginTraits> {
    const slow = () => new UpstreamError('bucket', `${originsPrefix}: no answer within ${roundTimeoutMs} ms`)
    const limit = deadline(clock, roundTimeoutMs, parent, slow)
    try {
      const traits = await orAborted(limit.signal, deps.traits())
      const mark = { id, at: new Date(clock.now()).toISOString(), ready, ...traits }
      await bucket.write(key, originMarkBytes(mark), limit)
      await look(limit)
      return traits
    } finally {
      limit.clear()
    }
  }

  async function look(limit: Wait): Promise<void> {
    const there = new Set<string>()
    for await (const { path } of bucket.list(originsPrefix, '', limit)) {
      const other = parseOriginKey(path)
      if (other === undefined || other === id) continue
      const bytes = await bucket.read(originKey(other), markLimitBytes, limit)
      if (bytes === undefined) continue
      const seen = seenAgain(others.get(other), bytes)
      if (isDead(seen)) {
        await bucket.remove(originKey(other), limit)
        continue
      }
      there.add(other)
      others.set(other, seen)
    }
    for (const other of others.keys()) if (!there.has(other)) others.delete(other)
  }

  function seenAgain(before: Other | undefined, bytes: Uint8Array): Other {
    const text = new TextDecoder().decode(bytes)
    if (before?.text === text) return before
    return { text, mark: parseOriginMark(bytes), sinceMs: clock.now(), lives: before !== undefined }
  }

  function isDead({ mark, sinceMs }: Other): boolean {
    const awayMs = mark === undefined ? 0 : Math.abs(clock.now() - Date.parse(mark.at))
    return clock.now() - sinceMs >= deadAfterMs || awayMs >= surelyDeadMs
  }

  /** Those that this origin cannot be beside, and why. */
  function conflicts(own: OriginTraits) {
    return [...others.values()].flatMap(({ mark, lives }) => {
      const why = mark && whyNotBeside(own, mark)
      return mark === undefined || why === undefined ? [] : [{ mark, lives, why }]
    })
  }

  function report(own: OriginTraits): void {
    for (const { mark, why } of conflicts(own))
      if (mark.ready)
        log.warn(`another origin writes to this bucket, and cannot be beside this one: ${why}`, about(mark))
    for (const { mark } of others.values())
      if (mark?.ready === true && mark.rules !== own.rules)
        log.warn(
          'another origin has other access rules: edges follow whichever started last; give both the same',
          about(mark),
        )
  }

  async function leave(): Promise<void> {
    const slow = () => new UpstreamError('bucket', `${key} was not removed within ${leaveTimeoutMs} ms`)
    const limit = deadline(clock, leaveTimeoutMs, undefined, slow)
    try {
      await bucket.remove(key, limit)
    } catch (error) {
      log.warn('the mark of this origin stays; others take it for dead after a while', { origin: id }, error)
    } finally {
      limit.clear()
    }
  }

  /** Where two wait for each other the one with the smaller id stays; of one that serves already nobody has to ask. */
  async function untilAlone(): Promise<void> {
    let own = await round(false, wait.signal)
    for (let waited = false; ; waited = true) {
      const found = conflicts(own)
      if (found.length === 0) return
      const first = found.find(({ mark, lives }) => lives && (mark.ready || mark.id < id))
      if (first !== undefined)
        throw new Error(`another origin writes to this bucket (${first.mark.host}), and both cannot be: ${first.why}`)
      for (const { mark, why } of waited ? [] : found)
        log.warn(`looks whether another origin lives, which may take ${deadAfterMs / 1000} s: ${why}`, about(mark))
      await pause(clock, waitingRenewEveryMs, wait.signal)
      own = await round(false, wait.signal)
    }
  }

  try {
    await untilAlone()
    report(await round(true, wait.signal))
  } catch (error) {
    await leave()
    throw error
  }
  const renewing = startRepeating(clock, { everyMs: renewEveryMs, first: 'later' }, async (stopped) => {
    try {
      report(await round(true, stopped))
    } catch (error) {
      if (!stopped.aborted) log.warn('the mark of this origin could not be renewed', { origin: id }, error)
    }
  })
  return {
    async stop() {
      await renewing.stop()
      await leave()
    },
  }
}

function about({ id, host, at }: OriginMark) {
  return { other: id, host, at }
}
