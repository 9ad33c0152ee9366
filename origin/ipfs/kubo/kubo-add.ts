// One file into Kubo, streamed, and named as the profile unixfs-v1-2025 wants.

import * as v from 'valibot'
import { leafBytes, parseCid } from '../../../shared/ipfs/cid.ts'
import type { Wait } from '../../../shared/ports/bucket.ts'
import type { ArrivingFile, ContentFile } from '../../../shared/ports/content-store.ts'
import { unhurried } from '../../../shared/concurrency/unhurried.ts'
import type { Cid } from '../../../shared/protocol/cid.ts'
import { UpstreamError } from '../../../shared/protocol/errors.ts'
import { parseJson } from '../../../shared/protocol/json.ts'
import type { KuboClient } from './kubo-client.ts'
import { type KuboUpload, startUpload } from './kubo-upload.ts'

/** Kubo ignores options that it does not know: what they led to is seen in the CID. Each overrides the node's own configuration. */
const unixfsV1 = {
  'cid-version': '1',
  hash: 'sha2-256',
  'raw-leaves': 'true',
  chunker: 'size-1048576',
  'max-file-links': '1024',
  trickle: 'false',
  pin: 'false',
  progress: 'false',
} as const

/** Takes as long as bytes keep moving. Rejects where Kubo names the file otherwise. */
export async function addFile(kubo: KuboClient, file: ContentFile, wait: Wait): Promise<void> {
  const adding = startAdd(kubo, `add ${file.cid}`, wait)
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  try {
    reader = (await adding.unlessEnded(file.open(wait))).getReader()
    for (;;) {
      const { done, value } = await adding.unlessEnded(reader.read())
      if (done) break
      await adding.write(value)
    }
    const cid = await endAdd(adding)
    if (cid !== file.cid) throw new UpstreamError('ipfs', `Kubo names a file ${cid} that should be ${file.cid}`)
  } catch (error) {
    adding.abort()
    // Kubo may have refused the file before its end.
    void reader?.cancel().catch(() => {})
    throw error
  }
}

/** Buffers that no file needs now are kept, up to so many: to have one from the system takes as long as to fill it. */
const sparesKept = 8

/** Adds files whose bytes are still being uploaded; gives up where Kubo or the one who uploads stops for long. */
export function createArrivals(kubo: KuboClient): () => ArrivingFile {
  const spare: Uint8Array[] = []
  return () =>
    addArriving(
      kubo,
      () => spare.pop() ?? new Uint8Array(leafBytes),
      (buffer) => {
        if (spare.length < sparesKept) spare.push(buffer)
      },
    )
}

/** Bytes go in buffers of a leaf: one is filled while the other is sent. */
function addArriving(kubo: KuboClient, take: () => Uint8Array, giveBack: (buffer: Uint8Array) => void): ArrivingFile {
  let adding: KuboUpload | undefined
  let isGivenUp = false
  let filling: Uint8Array | undefined
  let filledBytes = 0
  let other: Uint8Array | undefined
  let sent: Promise<unknown> = Promise.resolve()

  const unlessGivenUp = async <Result>(step: () => Promise<Result>): Promise<Result | undefined> => {
    if (isGivenUp) return undefined
    try {
      return await step()
    } catch {
      // Why is said when the file is added again.
      isGivenUp = true
      return undefined
    }
  }

  async function send(): Promise<void> {
    const full = filling?.subarray(0, filledBytes) ?? new Uint8Array()
    await sent
    sent = unlessGivenUp(() => (adding ??= startAdd(kubo, 'add of an upload', unhurried)).write(full))
    ;[filling, other, filledBytes] = [other, filling, 0]
  }

  return {
    async write(bytes) {
      for (let taken = 0; taken < bytes.byteLength;) {
        if (isGivenUp) return
        // Not before the next one begins: a file of one leaf is not added, but put as a block.
        if (filledBytes === leafBytes) await send()
        filling ??= take()
        const part = bytes.subarray(taken, taken + leafBytes - filledBytes)
        filling.set(part, filledBytes)
        filledBytes += part.byteLength
        taken += part.byteLength
      }
    },

    async end() {
      if (adding === undefined) return undefined
      await send()
      await sent
      return unlessGivenUp(async () => adding && endAdd(adding))
    },

    abort() {
      isGivenUp = true
      adding?.abort()
      const buffers = [filling, other].filter((buffer) => buffer !== undefined)
      ;[filling, other] = [undefined, undefined]
      void sent.then(() => buffers.forEach(giveBack))
    },
  }
}

function startAdd(kubo: KuboClient, what: string, wait: Wait): KuboUpload {
  return startUpload(kubo, `add?${new URLSearchParams(unixfsV1).toString()}`, { what }, wait)
}

const nameSchema = v.object({ Hash: v.string() })

/** Kubo's name for all that was written. */
async function endAdd(adding: KuboUpload): Promise<Cid> {
  const body = await adding.end()
  const named = v.safeParse(nameSchema, parseJson(body))
  const cid = named.success ? parseCid(named.output.Hash) : undefined
  if (cid === undefined) throw new UpstreamError('ipfs', 'Kubo names no CID for a file')
  return cid
}
