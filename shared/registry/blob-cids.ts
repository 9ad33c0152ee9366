// What IPFS may call a blob, and which of these names turned out to be of something else.

import { LRUCache } from 'lru-cache'
import { cidOfSmallBlob, leafBytes } from '../ipfs/cid.ts'
import { NotFoundOnIpfs, UnusableContent } from '../ipfs/content-errors.ts'
import { readLeaves } from '../ipfs/leaves.ts'
import type { RootedImage } from '../ipfs/rooted-image.ts'
import type { Bucket, Wait } from '../ports/bucket.ts'
import type { Log } from '../ports/log.ts'
import type { Cid } from '../protocol/cid.ts'
import type { Digest } from '../protocol/digest.ts'
import { NotTaken } from './checked-image.ts'
import { WrongContent } from './spool.ts'

/** What was said of a blob. */
export interface Claim {
  readonly digest: Digest
  /** Undefined where it is not known. */
  readonly sizeBytes: number | undefined
}

export interface BlobCids {
  /**
   * The first result of `find`: it is called with each name in turn, as long as that turns out wrong, or nobody has what
   * it names. Rejects with the last of these failures, or the first of another kind.
   * @param contents of an image that has the blob
   */
  firstThatDoes<Found>(
    contents: RootedImage | undefined,
    claim: Claim,
    wait: Wait,
    find: (cid: Cid) => Promise<Found>,
  ): Promise<Found>

  /** The name is that of something else, and is not tried again for this claim. */
  sawLie(claim: Claim, cid: Cid): void
}

export function createBlobCids({ bucket, log }: { readonly bucket: Bucket; readonly log: Log }): BlobCids {
  /** What something was said to be called, and is not. With the size that was said, or a lie about that would do. */
  const lies = new LRUCache<string, true>({ max: 10_000 })

  /** What IPFS may call a blob, the likeliest first. */
  async function cidsOf(contents: RootedImage | undefined, { digest, sizeBytes }: Claim, wait: Wait) {
    const recorded = (await readLeaves(bucket, digest, wait))?.cid
    // Who has the root has what it names; that somebody has the blob as we would cut it is a guess.
    const cids = [...(contents?.cidsOf(digest) ?? []), recorded, cidOfSmallBlob(digest, sizeBytes ?? leafBytes)]
    return [...new Set(cids.filter((cid) => cid !== undefined))].filter(
      (cid) => !lies.has(`${digest} ${sizeBytes} ${cid}`),
    )
  }

  function sawLie({ digest, sizeBytes }: Claim, cid: Cid): void {
    log.warn('content of IPFS is not what it was said to be', { digest, sizeBytes, cid })
    lies.set(`${digest} ${sizeBytes} ${cid}`, true)
  }

  return {
    async firstThatDoes<Found>(
      contents: RootedImage | undefined,
      claim: Claim,
      wait: Wait,
      find: (cid: Cid) => Promise<Found>,
    ) {
      let last: unknown = new NotTaken(`lacks ${claim.digest}`)
      for (const cid of await cidsOf(contents, claim, wait)) {
        try {
          return await find(cid)
        } catch (error) {
          const isLie = error instanceof WrongContent || error instanceof UnusableContent
          if (isLie) sawLie(claim, cid)
          else if (!(error instanceof NotFoundOnIpfs)) throw error
          last = error
        }
      }
      throw last
    },

    sawLie,
  }
}
