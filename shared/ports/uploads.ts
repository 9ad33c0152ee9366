// Staging of blobs while they are uploaded. Bytes only: that they match a digest is checked by registry/push-blob.ts.
// Adapter: origin/upload/fs-uploads.ts; contract: test/contract/uploads.contract.ts.

import type { Key } from '../layout/keys.ts'
import type { DigestAlgorithm } from '../protocol/digest.ts'
import type { ByteRange } from '../protocol/range.ts'
import { OciError } from '../protocol/errors.ts'
import type { Wait } from './bucket.ts'
import type { BlobHash } from './hasher.ts'

/** Why a request on an upload fails that another one, here or at another origin, has gone on with. */
export function takenOver(id: string): OciError {
  return new OciError('BLOB_UPLOAD_INVALID', `another request went on with upload ${id}`)
}

export interface Uploads {
  /** Makes an empty upload. */
  create(id: string, wait: Wait): Promise<void>

  /** Bytes staged so far; undefined where there is no such upload. */
  size(id: string, wait: Wait): Promise<number | undefined>

  /**
   * Adds a stream at the end, which is `offset`, and returns the new size. What arrived before the stream broke or the
   * signal was aborted stays staged. `onStored` sees every stored byte once, in order; a promise that it returns is waited
   * for, and then the bytes are not to be looked at any more. Rejects with `takenOver` where another process has put bytes
   * there.
   */
  append(
    id: string,
    offset: number,
    body: ReadableStream<Uint8Array>,
    onStored: (chunk: Uint8Array) => unknown,
    wait: Wait,
  ): Promise<number>

  /**
   * Hashes an upload from its first byte on, beside the thread that takes it; `update` is told of what `append` shows, in
   * the same order. Undefined where staged bytes cannot be read in another thread.
   */
  readonly hash: ((id: string, algorithm: DigestAlgorithm, withLeaves: boolean) => BlobHash) | undefined

  /** Staged bytes: all, or a range of those that are there. */
  read(id: string, range: ByteRange | undefined, wait: Wait): Promise<ReadableStream<Uint8Array>>

  /** Takes back everything from `size` on. */
  truncate(id: string, size: number, wait: Wait): Promise<void>

  /**
   * Makes the staged bytes the object `key`, whole and durable, and ends the upload. An object that is there is replaced.
   * @param sizeBytes of what the caller saw go by, in `append` or `read` of this instance. Just these bytes are published;
   *   where that cannot be, because another process went on with the upload, it rejects with `takenOver`.
   */
  publish(id: string, key: Key, sizeBytes: number, wait: Wait): Promise<void>

  /** Ends the upload and frees its bytes. */
  remove(id: string, wait: Wait): Promise<void>

  /**
   * Ids of all uploads, in no order, one after another, since there may be many thousand. May give a name that lies among
   * them and is no id. Those it gave may be removed meanwhile.
   */
  list(wait: Wait): AsyncIterable<string>

  /**
   * When the upload was made, or bytes of it were last written or taken back: ms since 1970, by the storage's own clock,
   * which may know only whole seconds; undefined where there is none.
   */
  touchedMs(id: string, wait: Wait): Promise<number | undefined>
}
