// What is staged of an upload on S3: the list of its keys says it, so that any origin on the bucket can go on.

import { GetObjectCommand } from '@aws-sdk/client-s3'
import { type Key, parseUploadOffset, uploadBegunKey, uploadKey, uploadPrefix } from '../../shared/layout/keys.ts'
import type { Wait } from '../../shared/ports/bucket.ts'
import { takenOver } from '../../shared/ports/uploads.ts'
import { bodyStream, readableOf } from '../bucket/s3-body.ts'
import { type S3Connection, S3Failure } from '../bucket/s3-connection.ts'
import { listPages } from '../bucket/s3-listing.ts'
import type { Piece } from './s3-piece.ts'

export interface StagedPiece extends Piece {
  readonly modifiedMs: number
}

export interface Staged {
  /** Whether the upload goes on; what a crash left behind has keys all the same. */
  readonly begun: boolean
  /** Without a gap from the beginning. */
  readonly pieces: readonly StagedPiece[]
  readonly sizeBytes: number
  /** All of the upload's keys. */
  readonly keys: readonly Key[]
  /** When the newest key was written; undefined where there is none. */
  readonly touchedMs: number | undefined
}

export async function readStaged(s3: S3Connection, id: string, wait: Wait): Promise<Staged> {
  const keys: Key[] = []
  const found: StagedPiece[] = []
  let touchedMs: number | undefined
  for await (const { objects } of listPages(s3, uploadPrefix(id), { level: 'all' }, wait)) {
    for (const { key, modifiedMs, ...object } of objects) {
      keys.push(key as Key)
      touchedMs = Math.max(touchedMs ?? 0, modifiedMs)
      const offset = parseUploadOffset(key)
      if (offset !== undefined) found.push({ offset, modifiedMs, ...object })
    }
  }
  found.sort((a, b) => a.offset - b.offset)
  const pieces: StagedPiece[] = []
  let sizeBytes = 0
  for (const piece of found) {
    if (piece.offset !== sizeBytes) break
    pieces.push(piece)
    sizeBytes += piece.sizeBytes
  }
  return { begun: keys.includes(uploadBegunKey(id)), pieces, sizeBytes, keys, touchedMs }
}

/**
 * The bytes of pieces that follow each other, from `start` to `end`, both included. Ends in `takenOver` where a piece is
 * not any more what it was.
 * @param onPiece is told of each piece that was given whole
 */
export async function* readPieces(
  s3: S3Connection,
  id: string,
  pieces: readonly Piece[],
  { start, end }: { readonly start: number; readonly end: number },
  wait: Wait,
  onPiece: (piece: Piece) => void = () => {},
): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) {
    const [first, last] = [Math.max(start - piece.offset, 0), Math.min(end - piece.offset, piece.sizeBytes - 1)]
    if (first > last) continue
    yield* await openPiece(s3, id, piece, { first, last }, wait)
    if (first === 0 && last === piece.sizeBytes - 1) onPiece(piece)
  }
}

async function openPiece(
  s3: S3Connection,
  id: string,
  { offset, etag }: Piece,
  { first, last }: { readonly first: number; readonly last: number },
  wait: Wait,
): Promise<ReadableStream<Uint8Array>> {
  const key = uploadKey(id, offset)
  const command = { Bucket: s3.bucket, Key: s3.prefix + key, IfMatch: etag, Range: `bytes=${first}-${last}` }
  const what = `GET ${key}`
  try {
    const answer = await s3.call(
      what,
      (client, abortSignal) => client.send(new GetObjectCommand(command), { abortSignal }),
      wait,
    )
    return bodyStream(s3, what, readableOf(answer), last - first + 1)
  } catch (error) {
    throw wasReplaced(error) ? takenOver(id) : error
  }
}

/** Whether a call failed because a piece is gone, or is another one now. */
export function wasReplaced(error: unknown): boolean {
  return error instanceof S3Failure && (error.status === 412 || error.code === 'NoSuchKey')
}
