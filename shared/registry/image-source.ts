// An image that lies outside of the bucket, in a file: an OCI layout, a CAR. Nothing that it says is believed.

import type { Cid } from '../protocol/cid.ts'
import type { Digest } from '../protocol/digest.ts'
import type { Wait } from '../ports/bucket.ts'

/** What may be the bytes of a digest. Rejects with BadImage where they cannot be had. */
export type OpenCopy = (wait: Wait) => Promise<ReadableStream<Uint8Array>>

export interface ImageSource {
  /** The image's manifest. */
  readonly manifest: Digest
  /** What the source says of the manifest itself; undefined where it says nothing. */
  readonly sizeBytes: number | undefined
  /** Under which the source names the image on IPFS. */
  readonly root: Cid | undefined
  /**
   * What may be the bytes of a digest, the likeliest first; none where the source has it not.
   * @param limitBytes a copy may refuse to be opened where it has more
   */
  copiesOf(digest: Digest, limitBytes: number, wait: Wait): Promise<readonly OpenCopy[]>
}

/** The image in a file cannot be taken; the message is for people. */
export class BadImage extends Error {
  override readonly name = 'BadImage'
}
