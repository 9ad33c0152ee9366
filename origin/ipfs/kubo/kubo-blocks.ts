// Single blocks into Kubo, many to a call: as CARs, by dag/import. A call costs more than a small block does, so what comes
// while imports are under way waits for the next one, and what nobody waits for yet, for others. Kubo checks each block
// against its CID.

import { CarWriter } from '@ipld/car'
import type { CID } from 'multiformats/cid'
import pMap from 'p-map'
import { decodeCid } from '../../../shared/ipfs/cid.ts'
import type { Wait } from '../../../shared/ports/bucket.ts'
import type { Clock } from '../../../shared/ports/clock.ts'
import { orAborted } from '../../../shared/concurrency/or-aborted.ts'
import { unhurried } from '../../../shared/concurrency/unhurried.ts'
import type { Cid } from '../../../shared/protocol/cid.ts'
import { UpstreamError } from '../../../shared/protocol/errors.ts'
import { type KuboClient, kuboAnswer } from './kubo-client.ts'
import { limitMsFor } from './kubo-limits.ts'
import { startUpload } from './kubo-upload.ts'

export interface BlockSupply {
  readonly cid: Cid
  readonly sizeBytes: number
  /** Called once, when its CAR is made. */
  read(): Promise<Uint8Array>
}

export interface KuboBlocks {
  /**
   * Resolves once Kubo has the block. Rejects where it cannot be read, or its bytes are not what its CID says.
   * @param when `soon`: with others, if any come in the next moment; until somebody puts one for `now`
   */
  put(supply: BlockSupply, when: 'now' | 'soon', wait: Wait): Promise<void>
}

interface Entry extends BlockSupply, PromiseWithResolvers<void> {}

/** Of one CAR, which is held in memory. */
const carLimitBytes = 16 * 1024 * 1024
/** One is made ready while Kubo reads the other. */
const carsAtOnce = 2
const readsAtOnce = 16
/** Milliseconds that a block waits at most for others, and bytes of them after which it waits no more. */
const [companyMs, companyBytes] = [250, 4 * 1024 * 1024]

export function createKuboBlocks(kubo: KuboClient, clock: Clock): KuboBlocks {
  const queue: Entry[] = []
  let importing = 0
  let stopWaiting: (() => void) | undefined

  function takeBatch(): Entry[] {
    let sizeBytes = 0
    const end = queue.findIndex((entry) => (sizeBytes += entry.sizeBytes) > carLimitBytes)
    return queue.splice(0, end === -1 ? queue.length : Math.max(1, end))
  }

  async function importQueued(): Promise<void> {
    stopWaiting?.()
    stopWaiting = undefined
    if (importing === carsAtOnce) return
    importing += 1
    for (let batch = takeBatch(); batch.length > 0; batch = takeBatch()) await importEntries(batch)
    importing -= 1
  }

  /** Never rejects: each entry hears of its own fate. */
  async function importEntries(entries: readonly Entry[]): Promise<void> {
    const read = async (entry: Entry) => {
      try {
        return { entry, bytes: await entry.read() }
      } catch (error) {
        entry.reject(error)
        return undefined
      }
    }
    const blocks = (await pMap(entries, read, { concurrency: readsAtOnce })).filter((block) => block !== undefined)
    if (blocks.length > 0) await importBlocks(blocks)
  }

  async function importBlocks(blocks: readonly { entry: Entry; bytes: Uint8Array }[]): Promise<void> {
    try {
      await importCar(blocks.map(({ entry, bytes }) => ({ cid: decodeCid(entry.cid), bytes })))
      for (const { entry } of blocks) entry.resolve()
    } catch (error) {
      const refused = error instanceof UpstreamError && kuboAnswer(error.cause) !== undefined
      if (refused && blocks.length > 1) {
        // One bad block spoils the import for all: each on its own.
        for (const block of blocks) await importBlocks([block])
      } else for (const { entry } of blocks) entry.reject(error)
    }
  }

  async function importCar(blocks: readonly { cid: CID; bytes: Uint8Array }[]): Promise<void> {
    const sizeBytes = blocks.reduce((sum, { bytes }) => sum + bytes.byteLength, 0)
    const what = blocks.length === 1 ? `dag/import ${String(blocks[0]?.cid)}` : `dag/import of ${blocks.length} blocks`
    const { writer, out } = CarWriter.create([])
    for (const block of blocks) void writer.put(block)
    void writer.close()
    const chunks: Uint8Array[] = []
    for await (const chunk of out) chunks.push(chunk)
    // Without roots there is nothing to list, and an import that fails is no 200. Nobody's in particular: it is for several callers.
    const limitMs = limitMsFor(kubo, sizeBytes)
    const upload = startUpload(kubo, 'dag/import?pin-roots=false', { what, limitMs }, unhurried)
    try {
      await Promise.all(chunks.map((chunk) => upload.write(chunk)))
      await upload.end()
    } catch (error) {
      upload.abort()
      throw error
    }
  }

  return {
    async put(supply, when, wait) {
      const entry: Entry = { ...supply, ...Promise.withResolvers<void>() }
      queue.push(entry)
      if (when === 'now' || queue.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) >= companyBytes) {
        // Not at once: those who are put in the same turn go into the same CAR.
        queueMicrotask(() => void importQueued())
      } else stopWaiting ??= clock.after(companyMs, () => void importQueued())
      await orAborted(wait.signal, entry.promise)
    },
  }
}
