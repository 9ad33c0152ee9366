// Staging of uploads on S3: pieces that are written once, each under the offset where it begins. The list of them is all
// that is known of an upload, so that another origin on the bucket can go on with it.

import { LRUCache } from 'lru-cache'
import pMap from 'p-map'
import { isUploadMultipartKey, type Key, uploadBegunKey, uploadKey, uploadsPrefix } from '../../shared/layout/keys.ts'
import type { Bucket, Wait } from '../../shared/ports/bucket.ts'
import type { Random } from '../../shared/ports/random.ts'
import { createSlots } from '../../shared/concurrency/slots.ts'
import { unhurried } from '../../shared/concurrency/unhurried.ts'
import { takenOver, type Uploads } from '../../shared/ports/uploads.ts'
import type { S3Connection } from '../bucket/s3-connection.ts'
import { appendPieces } from './s3-append.ts'
import { abortMultipart, readNote } from './s3-multipart.ts'
import type { Piece } from './s3-piece.ts'
import { createPartCopy, publishPieces } from './s3-publish.ts'
import { readPieces, readStaged } from './s3-staged.ts'
import { createUploadMemory } from './upload-memory.ts'

export interface S3UploadsDeps {
  readonly s3: S3Connection
  /** The bucket on the same connection. */
  readonly bucket: Bucket
  readonly random: Random
  /** Whether the server honours `If-None-Match: *`; without it no other origin may use the bucket. */
  readonly conditional: boolean
  /** Bytes of memory for all uploads together. */
  readonly memoryBytes: number
}

/** Bytes of a piece while there are few uploads, and while there are many: half of what each may take of the memory. */
const [largestPieceBytes, smallestPieceBytes] = [32 * 1024 * 1024, 8 * 1024 * 1024]

/** Uploads whose pieces this process has seen; the pieces of others are read before they are published. */
const seenUploads = 5_000

/** Objects and parts that go through the origin a second time at once. */
const rewritesAtOnce = 4

/** Objects that are removed at once. */
const removalsAtOnce = 16

export function createS3Uploads(deps: S3UploadsDeps): Uploads {
  const { s3, bucket, random, conditional } = deps
  const memory = createUploadMemory(deps.memoryBytes)
  const rewrites = createSlots(rewritesAtOnce)
  const copyPart = createPartCopy(s3)
  /** Pieces whose bytes went by here, by where they begin: only these are ever published. */
  const seen = new LRUCache<string, Map<number, Piece>>({ max: seenUploads })

  function see(id: string, piece: Piece): void {
    const pieces = seen.get(id) ?? new Map<number, Piece>()
    seen.set(id, pieces.set(piece.offset, piece))
  }

  /** The pieces that make up just so many bytes. */
  function seenPieces(id: string, sizeBytes: number): readonly Piece[] {
    const pieces: Piece[] = []
    for (let end = 0; end < sizeBytes; end += pieces.at(-1)?.sizeBytes ?? 0) {
      const next = seen.get(id)?.get(end)
      if (next === undefined || end + next.sizeBytes > sizeBytes) throw takenOver(id)
      pieces.push(next)
    }
    return pieces
  }

  /** As large as those that an upload has, so that they can be parts of one object; else by how many share the memory. */
  function pieceBytesOf(id: string): number {
    const share = memory.limitBytes / 2 / (memory.holders + 1)
    const byShare = Math.min(Math.max(smallestPieceBytes, 2 ** Math.floor(Math.log2(share))), largestPieceBytes)
    const first = seen.get(id)?.get(0)?.sizeBytes ?? 0
    return first >= smallestPieceBytes && first <= largestPieceBytes ? first : byShare
  }

  /** The session is over when its first key is gone; what a crash leaves of the others is found by its age. */
  async function removeKeys(id: string, keys: readonly Key[], wait: Wait): Promise<void> {
    seen.delete(id)
    await bucket.remove(uploadBegunKey(id), wait)
    await pMap(keys, (key) => bucket.remove(key, wait), { concurrency: removalsAtOnce })
  }

  return {
    create: (id, wait) => bucket.write(uploadBegunKey(id), new Uint8Array(), wait),

    async size(id, wait) {
      const { begun, sizeBytes } = await readStaged(s3, id, wait)
      return begun ? sizeBytes : undefined
    },

    // Its bytes are in no file here.
    hash: undefined,

    append(id, offset, body, onStored, wait) {
      const onPiece = (piece: Piece) => see(id, piece)
      const to = { id, offset, onPiece, onStored, writer: random.uuid(), conditional, pieceBytes: pieceBytesOf(id) }
      return appendPieces(s3, memory, body, to, wait)
    },

    async read(id, range, wait) {
      const { pieces, sizeBytes } = await readStaged(s3, id, wait)
      const bytes = readPieces(s3, id, pieces, range ?? { start: 0, end: sizeBytes - 1 }, wait, (piece) =>
        see(id, piece),
      )
      return ReadableStream.from(bytes)
    },

    async truncate(id, size, wait) {
      const { pieces } = await readStaged(s3, id, wait)
      // From the end, so that what a crash leaves has no gap.
      for (const { offset } of pieces.filter(({ offset }) => offset >= size).toReversed()) {
        await bucket.remove(uploadKey(id, offset), wait)
        seen.get(id)?.delete(offset)
      }
      const cut = pieces.find(({ offset, sizeBytes }) => offset < size && size < offset + sizeBytes)
      if (cut !== undefined) {
        const kept: Uint8Array[] = []
        for await (const chunk of readPieces(s3, id, [cut], { start: cut.offset, end: size - 1 }, wait))
          kept.push(chunk)
        seen.get(id)?.delete(cut.offset)
        await bucket.write(uploadKey(id, cut.offset), Buffer.concat(kept), wait)
      }
      // The time of the last touch.
      await bucket.write(uploadBegunKey(id), new Uint8Array(), wait)
    },

    async publish(id, key, sizeBytes, wait) {
      const pieces = seenPieces(id, sizeBytes)
      if (sizeBytes === 0) await bucket.write(key, new Uint8Array(), wait)
      else await publishPieces({ s3, bucket, random, rewrites, copyPart }, id, pieces, key, wait)
      // The object is there; what cannot be removed now is found by its age.
      const keys = pieces.map(({ offset }) => uploadKey(id, offset))
      await removeKeys(id, keys, unhurried).catch(() => {})
    },

    async remove(id, wait) {
      const { keys } = await readStaged(s3, id, wait)
      for (const note of keys.filter(isUploadMultipartKey)) {
        const multipart = await readNote(bucket, note, wait)
        if (multipart !== undefined) await abortMultipart(s3, multipart, wait)
      }
      await removeKeys(id, keys, wait)
    },

    async *list(wait) {
      for await (const { path, kind } of bucket.list(uploadsPrefix, '', wait))
        if (kind === 'folder') yield path.slice(uploadsPrefix.length, -1)
    },

    touchedMs: async (id, wait) => (await readStaged(s3, id, wait)).touchedMs,
  }
}
