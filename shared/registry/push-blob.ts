// Blob uploads: sessions that take bytes in any number of requests, and publish them once their digest was checked.
// Source: OCI distribution-spec 1.1, "Pushing a blob in chunks" and "Pushing a blob monolithically".

import { LRUCache } from 'lru-cache'
import type { ArrivingFile } from '../ports/content-store.ts'
import { startBlobHash } from '../ipfs/blob-hash.ts'
import { writeLeaves } from '../ipfs/leaves.ts'
import { refuseBlocked } from './blocked.ts'
import { hashUpload } from './hash-upload.ts'
import { linkBlob } from './link-blob.ts'
import { createNewestFirst } from '../concurrency/newest-first.ts'
import type { Publisher } from './publish-image.ts'
import { belongsTo, isUploadId, makeUploadId, type UploadOwner } from './upload-id.ts'
import { blobKey } from '../layout/keys.ts'
import type { Bucket, Wait } from '../ports/bucket.ts'
import type { BlobHash, Hasher } from '../ports/hasher.ts'
import type { Random } from '../ports/random.ts'
import { takenOver, type Uploads } from '../ports/uploads.ts'
import { unhurried } from '../concurrency/unhurried.ts'
import { algorithmOf, type Digest, type DigestAlgorithm } from '../protocol/digest.ts'
import { OciError } from '../protocol/errors.ts'
import { type ByteRange, rangeLength } from '../protocol/range.ts'

/** Bytes that a client adds to a session with one request. */
export interface Chunk {
  readonly body: ReadableStream<Uint8Array>
  /** Where the client says these bytes belong; undefined: at the end. */
  readonly range: ByteRange | undefined
  /** The request's Content-Length, where it had one. */
  readonly lengthBytes: number | undefined
}

export interface PushBlob {
  /** Opens a session. @param algorithm the digest will be of, where the client said so; saves reading the bytes again */
  start(owner: UploadOwner, algorithm: DigestAlgorithm, wait: Wait): Promise<string>
  /** Bytes taken so far. */
  status(owner: UploadOwner, id: string, wait: Wait): Promise<number>
  /** Adds bytes; returns how many there are now. */
  append(owner: UploadOwner, id: string, chunk: Chunk, wait: Wait): Promise<number>
  /** Adds the last bytes, checks the digest and publishes. When it resolves the blob is durable and belongs to the owner’s repository. Rejects with BlockedContent. */
  finish(owner: UploadOwner, id: string, digest: Digest, chunk: Chunk, wait: Wait): Promise<void>
  /** Takes a whole blob in one request (POST with a digest). A failure leaves nothing behind. */
  whole(owner: UploadOwner, digest: Digest, chunk: Chunk, wait: Wait): Promise<void>
  /** Ends a session and forgets its bytes. */
  cancel(owner: UploadOwner, id: string, wait: Wait): Promise<void>
  /**
   * Ends a session that nobody has touched since then (ms since 1970), and that no request works on. A request that comes
   * meanwhile goes before. Returns what became of it; `gone`: somebody else, here or at another origin, ended it before.
   */
  expire(id: string, untouchedSinceMs: number, wait: Wait): Promise<'removed' | 'kept' | 'gone'>
}

/**
 * How many sessions keep a running hash. What falls out, as after a restart, costs one reading of the staged bytes when the upload ends.
 */
const runningHashLimit = 1000

/** A chunk's range did not begin where the session stands: the client can ask, and go on from there. */
export class OutOfOrderChunk extends OciError {
  readonly sizeBytes: number

  constructor(sizeBytes: number) {
    super('BLOB_UPLOAD_INVALID', `the next chunk begins at byte ${sizeBytes}`, { status: 416 })
    this.sizeBytes = sizeBytes
  }
}

/** What a session has seen of its bytes. */
interface Running {
  /** With leaves where blobs go to IPFS. */
  readonly hash: BlobHash
  /** Where they are copied there, and the repository is public. */
  readonly arriving: ArrivingFile | undefined
  sizeBytes: number
}

export interface PushBlobDeps {
  readonly bucket: Bucket
  readonly uploads: Uploads
  readonly hasher: Hasher
  readonly random: Random
  /** Told of blobs that were pushed; undefined where none go to IPFS. */
  readonly publisher?: Publisher | undefined
}

export function createPushBlob(deps: PushBlobDeps): PushBlob {
  const { bucket, uploads, hasher, random, publisher } = deps
  const withLeaves = publisher !== undefined
  // Its copy to IPFS ends by itself, as nothing comes any more.
  const endEvicted = ({ hash }: Running, _id: string, reason: string) => {
    if (reason === 'evict') hash.end()
  }
  const hashes = new LRUCache<string, Running>({ max: runningHashLimit, dispose: endEvicted })
  const turns = createNewestFirst(takenOver)

  /** The size of an owner's session. An id is nothing without its owner. */
  async function sizeOf(owner: UploadOwner, id: string, wait: Wait): Promise<number> {
    const size = belongsTo(owner, id) ? await uploads.size(id, wait) : undefined
    if (size === undefined)
      throw new OciError('BLOB_UPLOAD_UNKNOWN', `${owner.name} has no upload ${id} of yours; begin again with POST`)
    return size
  }

  async function add(id: string, sizeBytes: number, chunk: Chunk, wait: Wait): Promise<number> {
    if (chunk.range !== undefined && chunk.range.start !== sizeBytes) throw new OutOfOrderChunk(sizeBytes)
    const expected = chunk.range === undefined ? undefined : rangeLength(chunk.range)
    const refuseLength = (actual: string) =>
      new OciError('SIZE_INVALID', `Content-Range is of ${expected} bytes, but the body has ${actual}`)
    if (expected !== undefined && chunk.lengthBytes !== undefined && chunk.lengthBytes !== expected) {
      throw refuseLength(String(chunk.lengthBytes))
    }
    if (chunk.lengthBytes === 0) return sizeBytes
    const known = hashes.get(id)
    const running = known?.sizeBytes === sizeBytes ? known : undefined
    const after = await uploads.append(
      id,
      sizeBytes,
      chunk.body,
      async (stored) => {
        if (running !== undefined) await see(running, stored)
      },
      wait,
    )
    if (expected !== undefined && after - sizeBytes !== expected) {
      await takeBack(id, sizeBytes)
      throw refuseLength(String(after - sizeBytes))
    }
    return after
  }

  function forget(id: string): void {
    const running = hashes.get(id)
    running?.arriving?.abort()
    running?.hash.end()
    hashes.delete(id)
  }

  /** A refusal changes nothing: the session stands where it stood before the request. */
  async function takeBack(id: string, sizeBytes: number): Promise<void> {
    forget(id)
    await uploads.truncate(id, sizeBytes, unhurried)
  }

  async function see(running: Running, bytes: Uint8Array): Promise<void> {
    running.hash.update(bytes)
    running.sizeBytes += bytes.byteLength
    await running.arriving?.write(bytes)
  }

  /** All that is staged, hashed: while it came if every byte was seen, else by reading them. */
  async function hashed(id: string, algorithm: DigestAlgorithm, sizeBytes: number, wait: Wait): Promise<Running> {
    const running = hashes.get(id)
    const isWhole = running?.sizeBytes === sizeBytes && running.hash.algorithm === algorithm
    if (running !== undefined && isWhole && (await digestSoFar(running)) !== undefined) {
      hashes.delete(id)
      return running
    }
    forget(id)
    const again: Running = { hash: startBlobHash(hasher, algorithm, withLeaves), arriving: undefined, sizeBytes: 0 }
    for await (const bytes of await uploads.read(id, undefined, wait)) {
      wait.signal.throwIfAborted()
      await see(again, bytes)
    }
    return again
  }

  /**
   * The size of a session whose bytes all went by here and have the digest already: what is stored of it need not be
   * asked for. Where they have not, another origin may have taken more of them.
   */
  async function seenWhole(owner: UploadOwner, id: string, digest: Digest, chunk: Chunk): Promise<number | undefined> {
    const running = hashes.get(id)
    if (chunk.lengthBytes !== 0 || running === undefined || !belongsTo(owner, id)) return undefined
    return running.hash.algorithm === algorithmOf(digest) && (await digestSoFar(running)) === digest
      ? running.sizeBytes
      : undefined
  }

  /** Undefined where it cannot be told, as where another process took the upload's file away: what is staged now tells. */
  async function digestSoFar({ hash }: Running): Promise<Digest | undefined> {
    return hash.digest().catch(() => undefined)
  }

  async function start(owner: UploadOwner, algorithm: DigestAlgorithm, wait: Wait): Promise<string> {
    const id = makeUploadId(owner, random)
    await uploads.create(id, wait)
    const hash = hashUpload({ uploads, hasher }, id, algorithm, withLeaves)
    hashes.set(id, { hash, arriving: publisher?.blobArriving(owner.name), sizeBytes: 0 })
    return id
  }

  async function finish(owner: UploadOwner, id: string, digest: Digest, chunk: Chunk, wait: Wait) {
    await turns.take(id, wait, async (turn) => {
      const seen = await seenWhole(owner, id, digest, chunk)
      const before = seen ?? (await sizeOf(owner, id, turn))
      await refuseBlocked(bucket, [digest], turn)
      const sizeBytes = await add(id, before, chunk, turn)
      const { hash, arriving } = await hashed(id, algorithmOf(digest), sizeBytes, turn)
      try {
        const actual = await hash.digest()
        if (actual !== digest) {
          arriving?.abort()
          await takeBack(id, before)
          throw new OciError(
            'DIGEST_INVALID',
            `the ${sizeBytes} bytes of the upload have the digest ${actual}, not ${digest}`,
          )
        }
        const leaves = withLeaves ? await hash.leaves() : undefined
        const publishing = uploads.publish(id, blobKey(digest), sizeBytes, turn).catch(async (error: unknown) => {
          // Another origin may have ended what was not asked for: that is its own answer.
          if (seen !== undefined) await sizeOf(owner, id, turn)
          throw error
        })
        // True of these bytes whoever publishes them.
        const recording = leaves && writeLeaves(bucket, digest, sizeBytes, () => leaves, unhurried)
        await Promise.all([publishing, recording])
        // The session is over: what interrupted us now would find nothing to go on with.
        await linkBlob(bucket, owner.name, digest, unhurried)
        publisher?.blobPushed(owner.name, digest, sizeBytes, arriving)
      } finally {
        hash.end()
      }
    })
  }

  return {
    start,
    status: sizeOf,
    finish,

    async append(owner, id, chunk, wait) {
      return turns.take(id, wait, async (turn) => add(id, await sizeOf(owner, id, turn), chunk, turn))
    },

    async whole(owner, digest, chunk, wait) {
      const id = await start(owner, algorithmOf(digest), wait)
      try {
        await finish(owner, id, digest, chunk, wait)
      } catch (error) {
        // The client never learnt of this session, so nobody else would end it. Its signal may be the reason we are here.
        if ((await uploads.size(id, unhurried)) !== undefined) await uploads.remove(id, unhurried)
        throw error
      }
    },

    async cancel(owner, id, wait) {
      await turns.take(id, wait, async (turn) => {
        await sizeOf(owner, id, turn)
        forget(id)
        await uploads.remove(id, turn)
      })
    },

    async expire(id, untouchedSinceMs, wait) {
      if (!isUploadId(id) || turns.isTaken(id)) return 'kept'
      return turns.take(id, wait, async (turn) => {
        // Looked at in our turn: nobody can touch it between this and the end.
        const touchedMs = await uploads.touchedMs(id, turn)
        if (touchedMs === undefined) return 'gone'
        if (touchedMs > untouchedSinceMs) return 'kept'
        await uploads.remove(id, turn)
        forget(id)
        return 'removed'
      })
    },
  }
}
