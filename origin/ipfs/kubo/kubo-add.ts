// One file into Kubo, streamed, and named as the profile unixfs-v1-2025 wants.

import * as v from 'valibot'
import { parseCid } from '../../../shared/ipfs/cid.ts'
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

/** Adds a file whose bytes are still being uploaded; gives up where Kubo or the one who uploads stops for long. */
export function addArriving(kubo: KuboClient): ArrivingFile {
  let adding: KuboUpload | undefined
  let isGivenUp = false

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

  return {
    async write(bytes) {
      await unlessGivenUp(() => (adding ??= startAdd(kubo, 'add of an upload', unhurried)).write(bytes))
    },
    end: () => unlessGivenUp(async () => adding && endAdd(adding)),
    abort() {
      isGivenUp = true
      adding?.abort()
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
