// What a thread of hashing-threads.ts runs: it reads on in a file that grows, as far as it is told to, and hashes what it reads.

import { closeSync, openSync, readSync } from 'node:fs'
import { parentPort } from 'node:worker_threads'
import { startBlobHash } from '../../shared/ipfs/blob-hash.ts'
import type { BlobHash } from '../../shared/ports/hasher.ts'
import type { Digest, DigestAlgorithm } from '../../shared/protocol/digest.ts'
import { nodeHasher } from './node-hasher.ts'

export interface FollowedFile {
  readonly path: string
  readonly algorithm: DigestAlgorithm
  readonly withLeaves: boolean
}

/** Read on in a file up to so many bytes; or nobody asks for it any more. */
export type HashRequest =
  | { readonly id: number; readonly file: FollowedFile; readonly sizeBytes: number; readonly isAsked: boolean }
  | { readonly id: number; readonly file: undefined }

/** To each request with `isAsked`. */
export type HashAnswer =
  | { readonly id: number; readonly digest: Digest; readonly leaves: readonly Uint8Array[] }
  | { readonly id: number; readonly error: string }

/** In the processor's cache from the reading to both hashes. */
const readBytes = 256 * 1024

const buffer = new Uint8Array(readBytes)
const files = new Map<number, { readonly hash: BlobHash; sizeBytes: number; error?: string }>()

async function serve(request: HashRequest): Promise<HashAnswer | undefined> {
  const { id, file } = request
  if (file === undefined) {
    files.delete(id)
    return undefined
  }
  const followed = files.get(id) ?? { hash: startBlobHash(nodeHasher, file.algorithm, file.withLeaves), sizeBytes: 0 }
  files.set(id, followed)
  if (followed.error === undefined) {
    try {
      readOn(file.path, followed, request.sizeBytes)
    } catch (error) {
      followed.error = String(error)
    }
  }
  if (!request.isAsked) return undefined
  if (followed.error !== undefined) return { id, error: followed.error }
  const { hash } = followed
  return { id, digest: await hash.digest(), leaves: file.withLeaves ? await hash.leaves() : [] }
}

/** The file is not kept open: it may be told of for hours. */
function readOn(path: string, followed: { readonly hash: BlobHash; sizeBytes: number }, toBytes: number): void {
  const file = openSync(path, 'r')
  try {
    while (followed.sizeBytes < toBytes) {
      const length = Math.min(readBytes, toBytes - followed.sizeBytes)
      const read = readSync(file, buffer, 0, length, followed.sizeBytes)
      if (read === 0) throw new Error(`an upload has only ${followed.sizeBytes} of its ${toBytes} bytes`)
      followed.hash.update(buffer.subarray(0, read))
      followed.sizeBytes += read
    }
  } finally {
    closeSync(file)
  }
}

// An answer is given before the next request is looked at: all that is awaited is settled.
parentPort?.on('message', (request: HashRequest) => {
  void serve(request).then((answer) => {
    if (answer !== undefined) parentPort?.postMessage(answer)
  })
})
