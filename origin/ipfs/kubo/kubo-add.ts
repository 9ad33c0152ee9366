// One file into Kubo, streamed, and named as the profile unixfs-v1-2025 wants.

import { orAborted } from '../../../shared/ports/or-aborted.ts'
import type { Wait } from '../../../shared/ports/bucket.ts'
import type { Deadline } from '../../../shared/ports/clock.ts'
import type { ContentFile } from '../../../shared/ports/content-store.ts'
import { UpstreamError } from '../../../shared/protocol/errors.ts'
import type { KuboClient } from './kubo-client.ts'

/** Kubo ignores options that it does not know: what they led to is seen in the CID. Each overrides the node's own configuration. */
const unixfsV1 = {
  cidVersion: 1,
  hashAlg: 'sha2-256',
  rawLeaves: true,
  chunker: 'size-1048576',
  maxFileLinks: 1024,
  trickle: false,
  pin: false,
} as const

/** Takes as long as bytes keep moving. Rejects where Kubo names the file otherwise. */
export async function addFile(kubo: KuboClient, file: ContentFile, wait: Wait): Promise<void> {
  const work = async (limit: Deadline) => {
    const reader = (await file.open(limit)).getReader()
    const source = readAll(reader, limit)
    try {
      const { cid } = await kubo.rpc.add(source.bytes(), { ...unixfsV1, signal: limit.signal })
      if (String(cid) !== file.cid)
        throw new UpstreamError('ipfs', `Kubo names a file ${String(cid)} that should be ${file.cid}`)
    } catch (error) {
      // The library only says that it gave up.
      throw source.fault() ?? error
    } finally {
      // Kubo may have refused the file before its end.
      void reader.cancel().catch(() => {})
    }
  }
  await kubo.call(`add ${file.cid}`, wait, work)
}

function readAll(reader: ReadableStreamDefaultReader<Uint8Array>, limit: Deadline) {
  let fault: unknown
  return {
    fault: () => fault,
    async *bytes() {
      try {
        for (;;) {
          const { done, value } = await orAborted(limit.signal, reader.read())
          limit.extend()
          if (done) return
          yield value
          limit.extend()
        }
      } catch (error) {
        fault = error
        throw error
      }
    },
  }
}
