// IPFS as the place where published images are kept, beside the bucket.
//
// Adapters: origin/ipfs/embedded-store.ts, origin/ipfs/kubo/kubo-store.ts; contract: test/contract/content-store.contract.ts.
// A node that is down, refuses or does not answer in time rejects with UpstreamError('ipfs').

import type { Cid } from '../protocol/cid.ts'
import type { Wait } from './bucket.ts'

/** One node of a DAG. */
export interface Block {
  readonly cid: Cid
  readonly bytes: Uint8Array
}

/** A blob as IPFS names it: a UnixFS file of the profile unixfs-v1-2025. */
export interface ContentFile {
  readonly cid: Cid
  readonly sizeBytes: number
  /** Its bytes, from the bucket. May be called more than once. */
  open(wait: Wait): Promise<ReadableStream<Uint8Array>>
}

/** A blob that the store takes while it is still being uploaded: nobody knows yet what it will be called. */
export interface ArrivingFile {
  /** Takes the next bytes. Resolves when they may be reused and more may come; never rejects. */
  write(bytes: Uint8Array): Promise<void>
  /** That was all of it. Resolves with the store's name for it; with undefined where the store gave up. Never rejects. */
  end(): Promise<Cid | undefined>
  /** It will be no blob. */
  abort(): void
}

/** An image as one UnixFS directory. */
export interface ContentImage {
  readonly root: Cid
  /** What of the directory is no blob: its nodes, and the small files beside the blobs. */
  readonly blocks: readonly Block[]
  readonly files: readonly ContentFile[]
}

export interface ContentStore {
  /**
   * Takes a copy of a blob ahead of its image, so that the image need not wait for it. Rejects where the store names it otherwise.
   * @param arriving what came of it so far
   */
  add(file: ContentFile, wait: Wait, arriving?: ArrivingFile): Promise<void>

  /** Begins to take a blob of more than one block while it is uploaded. Absent where the store makes no copies. */
  arriving?(): ArrivingFile

  /** Keeps an image until `unpublish`: when it resolves, every block of it is there, whether its files were added before or not. */
  publish(image: ContentImage, wait: Wait): Promise<void>

  /** Lets go of an image. Nothing happens where it is not kept. */
  unpublish(root: Cid, wait: Wait): Promise<void>

  /** The roots of all images that are kept, in no order. */
  published(wait: Wait): AsyncIterable<Cid>
}
