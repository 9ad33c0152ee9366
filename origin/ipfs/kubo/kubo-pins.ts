// Kubo's pins of one name, and what is missing for one.
//
// Kubo has one pin for a CID. To pin a DAG again is to take its pin away, walk it, and pin it; and the walk looks for
// blocks that are missing on the network, with no option against it, for as long as the call lasts.

import { pause } from '../../../shared/concurrency/deadline.ts'
import { cidText, decodeCid } from '../../../shared/ipfs/cid.ts'
import type { Wait } from '../../../shared/ports/bucket.ts'
import type { Clock } from '../../../shared/ports/clock.ts'
import type { Cid } from '../../../shared/protocol/cid.ts'
import { type KuboClient, kuboAnswer, saysMissing } from './kubo-client.ts'
import { limitMsFor } from './kubo-limits.ts'

const pinName = 'mirrorball'

/** A pin that takes longer than this may be one that waits for a block. */
const firstLookMs = 1000

export interface KuboPins {
  has(root: Cid, wait: Wait): Promise<boolean>

  /**
   * Pins the DAG under a root.
   * @param sizeBytes about as much as Kubo reads to walk it
   * @returns undefined once it is pinned and every block is there; else what Kubo says of a block that is missing
   */
  add(root: Cid, sizeBytes: number, wait: Wait): Promise<string | undefined>

  /** Nothing happens where it is not pinned. */
  remove(root: Cid, wait: Wait): Promise<void>

  list(wait: Wait): AsyncIterable<Cid>
}

export function createKuboPins(kubo: KuboClient, clock: Clock): KuboPins {
  async function pin(root: Cid, sizeBytes: number, wait: Wait): Promise<string | undefined> {
    const work = ({ signal }: Wait) =>
      unlessAnswered(saysMissing, async () => {
        await kubo.rpc.pin.add(decodeCid(root), { recursive: true, name: pinName, signal })
        return undefined
      })
    return kubo.call(`pin/add ${root}`, wait, work, limitMsFor(kubo, sizeBytes))
  }

  /** Looks for what is missing, again and again at growing intervals, until the signal is aborted. */
  async function lookForMissing(root: Cid, wait: Wait): Promise<string> {
    for (let ms = firstLookMs; ; ms *= 2) {
      await pause(clock, ms, wait.signal)
      const missing = await findMissing(kubo, root, wait)
      if (missing !== undefined) return missing
    }
  }

  return {
    has(root, wait) {
      const work = ({ signal }: Wait) =>
        unlessAnswered(saysNotPinned, async () => {
          let found = false
          for await (const { name } of kubo.rpc.pin.ls({ paths: root, type: 'recursive', names: true, signal }))
            found = name === pinName
          return found
        })
      return kubo.call(`pin/ls ${root}`, wait, work).then((found) => found === true)
    },

    async add(root, sizeBytes, wait) {
      const over = new AbortController()
      const either = { signal: AbortSignal.any([wait.signal, over.signal]) }
      const endings = [pin(root, sizeBytes, either), lookForMissing(root, either)]
      try {
        return await Promise.race(endings)
      } finally {
        over.abort(new Error('the other way was quicker'))
        for (const ending of endings) ending.catch(() => {})
      }
    },

    async remove(root, wait) {
      const work = ({ signal }: Wait) =>
        unlessAnswered(saysNotPinned, () => kubo.rpc.pin.rm(decodeCid(root), { recursive: true, signal }))
      await kubo.call(`pin/rm ${root}`, wait, work)
    },

    async *list(wait) {
      // Read to its end first, so that no connection is open, and no time runs, while each root is worked on.
      yield* await kubo.call('pin/ls', wait, async (limit) => {
        const roots: Cid[] = []
        const all = kubo.rpc.pin.ls({ type: 'recursive', name: pinName, names: true, signal: limit.signal })
        for await (const { cid, name } of all) {
          limit.extend()
          // Kubo lists every name that contains the one it was asked for.
          if (name === pinName) roots.push(cidText(cid))
        }
        return roots
      })
    },
  }
}

/** Walks what Kubo has itself. Undefined where that is all of the DAG, else what it says of the first block that is missing. */
export function findMissing(kubo: KuboClient, root: Cid, wait: Wait): Promise<string | undefined> {
  return kubo.call(`refs ${root}`, wait, async (limit) => {
    // In the library's types only `searchParams` takes options that it does not know, and there it loses them.
    const options = { recursive: true, unique: true, offline: true }
    let said = ''
    // Read to its end in any case: a connection is free again only then.
    for await (const { err } of kubo.rpc.refs(root, { ...options, signal: limit.signal })) {
      limit.extend()
      said ||= err === undefined ? '' : String(err)
    }
    if (said === '' || saysMissing(said)) return said || undefined
    throw new Error(said)
  })
}

function saysNotPinned(answer: string): boolean {
  return answer.includes('not pinned')
}

/** The call's result, or Kubo's answer where it is the expected one instead. */
async function unlessAnswered<Result>(
  expected: (answer: string) => boolean,
  call: () => Promise<Result>,
): Promise<Result | string> {
  try {
    return await call()
  } catch (error) {
    const answer = kuboAnswer(error)
    if (answer !== undefined && expected(answer)) return answer
    throw error
  }
}
