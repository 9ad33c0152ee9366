// The bucket: one flat space of immutable bytes and small links. It is the only database of the registry.
//
// Adapters: origin/bucket/fs-bucket.ts, shared/edge/http-bucket.ts, worker/r2-bucket.ts. Every adapter passes
// test/contract/bucket.contract.ts. Each call takes a signal, and rejects with its reason once it is aborted; a bucket that fails otherwise
// rejects with UpstreamError('bucket'). A missing object is `undefined`, never an error.

import type { Key, KeyPrefix } from '../layout/keys.ts'
import type { ByteRange } from '../protocol/range.ts'

export interface Wait {
  readonly signal: AbortSignal
}

export interface OpenedObject {
  /** Size of the whole object. */
  readonly sizeBytes: number
  /** The bytes asked for: the range, or all. Must be read to its end or cancelled. */
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>>
}

/** What an edge needs of a bucket. */
export interface BucketReader {
  /** The object's size in bytes. */
  head(key: Key, wait: Wait): Promise<number | undefined>

  /** A small object, whole. Rejects with UpstreamError where it is larger than `limitBytes`. */
  read(key: Key, limitBytes: number, wait: Wait): Promise<Uint8Array<ArrayBuffer> | undefined>

  /** An object as a stream. `range` must lie inside the object. */
  open(key: Key, range: ByteRange | undefined, wait: Wait): Promise<OpenedObject | undefined>

  /**
   * What lies directly under a prefix, in the bytewise order of paths: objects, and "folders", that is prefixes of
   * further objects up to the next slash. Only what sorts after `after` (S3 `start-after`), which names an entry of this
   * level. A folder without an object anywhere in it does not exist.
   */
  list(prefix: KeyPrefix, after: string, wait: Wait): AsyncIterable<ListEntry>
}

export interface ListEntry {
  /** Key of an object, or the prefix of a folder with its closing slash. */
  readonly path: string
  readonly kind: 'object' | 'folder'
}

/** What an origin needs. */
export interface Bucket extends BucketReader {
  /** Writes a small object. When it resolves the object is durable; readers see the old bytes or the new, never a part. */
  write(key: Key, bytes: Uint8Array, wait: Wait): Promise<void>

  /**
   * Writes a small object where there is none, durably as `write` does. Returns false where there is one, which stays: one
   * of somebody else, or of this call, if an answer of the storage was lost. Of many calls at once one succeeds, where the
   * storage can decide between them (a server of S3 that ignores conditions cannot).
   */
  create(key: Key, bytes: Uint8Array, wait: Wait): Promise<boolean>

  /** Removes an object. When it resolves the object is gone for good, also where it was not there. */
  remove(key: Key, wait: Wait): Promise<void>
}
