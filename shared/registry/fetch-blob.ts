// Brings a blob into the bucket from IPFS, while those who wait for it read along.

import { UnusableContent } from '../ipfs/content-errors.ts'
import type { RootedImage } from '../ipfs/rooted-image.ts'
import type { VerifiedReader } from '../ipfs/verified-blocks.ts'
import type { Wait } from '../ports/bucket.ts'
import type { Deadline } from '../concurrency/deadline.ts'
import { orAborted } from '../concurrency/or-aborted.ts'
import type { Cid } from '../protocol/cid.ts'
import { type BlobCids, type Claim } from './blob-cids.ts'
import { refuseBlocked } from './blocked.ts'
import { refusalOf } from './fetch-refusal.ts'
import type { Flights } from '../concurrency/flights.ts'
import { heldBytes, type Spool, type SpoolDeps, startSpool, WrongContent } from './spool.ts'

/** A blob that is on its way here. */
export interface FetchedBlob {
  readonly sizeBytes: number
  /** Ends in an error where what comes is wrong. */
  readonly body: ReadableStream<Uint8Array>
}

/** A blob to fetch. */
export interface WantedBlob extends Claim {
  /** Of an image that has the blob; undefined where it is only known by itself. */
  readonly root: Cid | undefined
}

export interface BlobFetchDeps extends SpoolDeps {
  readonly reader: VerifiedReader
  readonly cids: BlobCids
  readonly flights: Flights
  /** What an image says, by its root. */
  readonly contentsOf: (root: Cid, limit: Deadline) => Promise<RootedImage>
  /** Bytes of a blob whose size is not known. */
  readonly limitBytes: number
}

/**
 * Fetches blobs, as an ImageFetcher does. Rejects with OciError where nobody has the blob, or what came is not it, or it is
 * blocked here; with UpstreamError('ipfs') where a source did not answer.
 */
export function createBlobFetcher(deps: BlobFetchDeps): (wanted: WantedBlob, wait: Wait) => Promise<FetchedBlob> {
  const { bucket, reader, cids, flights, contentsOf, limitBytes } = deps

  /** Begins to bring a blob here, by the first of its names that does. Resolves once there is something to read. */
  async function fetchBlob({ root, digest, sizeBytes }: WantedBlob, limit: Deadline): Promise<SizedSpool> {
    const contents = root === undefined ? undefined : await contentsOf(root, limit)
    const claim = { digest, sizeBytes }
    return cids.firstThatDoes(contents, claim, limit, (cid) => spooled(root ?? cid, cid, claim, limit))
  }

  /** Resolves once some of it may be read, or all is in the bucket: what is wrong before that, nobody has seen. */
  async function spooled(top: Cid, cid: Cid, claim: Claim, limit: Deadline): Promise<SizedSpool> {
    const { digest, sizeBytes } = claim
    const file = await reader.file({ top, cid, maxBytes: sizeBytes ?? limitBytes }, limit)
    const begun = Promise.withResolvers<void>()
    const blob = { digest, sizeBytes: sizeBytes ?? file.sizeBytes }
    const onStored = (stored: number) => {
      limit.extend()
      if (stored > heldBytes) begun.resolve()
    }
    const spool = startSpool(deps, blob, file.body, onStored, limit)
    await Promise.race([begun.promise, spool.done])
    // From here on those who read along hear of it.
    spool.done.catch((error: unknown) => {
      if (error instanceof WrongContent || error instanceof UnusableContent) cids.sawLie(claim, cid)
    })
    return { ...spool, sizeBytes: blob.sizeBytes }
  }

  return async (wanted, wait) => {
    const { root, digest, sizeBytes } = wanted
    await refuseBlocked(bucket, [digest], wait)
    const fetching = flights.join(
      // Who was told another size must not fail with the one who believed it.
      `blob ${digest} ${sizeBytes}`,
      (limit) => fetchBlob(wanted, limit),
      ({ done }) => done,
    )
    try {
      const spool = await orAborted(wait.signal, fetching)
      return { sizeBytes: spool.sizeBytes, body: spool.read() }
    } catch (error) {
      throw refusalOf('BLOB_UNKNOWN', root ?? digest, error) ?? error
    }
  }
}

interface SizedSpool extends Spool {
  readonly sizeBytes: number
}
