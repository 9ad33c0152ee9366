// Makes the pieces of an upload one object. The server copies them where it can; else the origin reads them and writes
// parts of equal size, as R2 wants them.

import {
  PutObjectCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
  type UploadPartCopyCommandInput,
} from '@aws-sdk/client-s3'
import pMap from 'p-map'
import { type Key, uploadKey } from '../../shared/layout/keys.ts'
import type { Wait } from '../../shared/ports/bucket.ts'
import type { Slots } from '../../shared/concurrency/slots.ts'
import { takenOver } from '../../shared/ports/uploads.ts'
import { sendStream } from '../bucket/s3-body.ts'
import { contentFields, contentHeaders } from '../bucket/s3-bucket.ts'
import { type S3Connection, S3Failure } from '../bucket/s3-connection.ts'
import { type Multipart, type MultipartDeps, publishParts } from './s3-multipart.ts'
import type { Piece } from './s3-piece.ts'
import { readPieces, readStaged, type StagedPiece, wasReplaced } from './s3-staged.ts'

/** Bytes of a part, but the last: S3's lower limit. */
const leastPartBytes = 5 * 1024 * 1024

/** Parts of an object: S3's upper limit. */
const mostParts = 10_000

/** Bytes that are read and written as one object, or part. */
const rewrittenBytes = 32 * 1024 * 1024

/** Parts that the server copies at once. */
const copiesAtOnce = 8

export interface PublishDeps extends MultipartDeps {
  readonly copyPart: PartCopy
  /** For bytes that go through the origin a second time: each holds memory. */
  readonly rewrites: Slots
}

/** Has the server copy a piece into a part; returns the part's etag. */
export type PartCopy = (command: UploadPartCopyCommandInput, piece: Piece, wait: Wait) => Promise<string>

/** Copies on condition that the piece is still the one that was checked, where the server knows that: R2 refuses it. */
export function createPartCopy(s3: S3Connection): PartCopy {
  let onCondition = true
  return async function copy(command, piece, wait): Promise<string> {
    const condition = onCondition ? { CopySourceIfMatch: piece.etag } : {}
    try {
      const { CopyPartResult: copied } = await s3.call(
        `COPY to part ${command.PartNumber} of ${command.Key}`,
        (client, abortSignal) => client.send(new UploadPartCopyCommand({ ...command, ...condition }), { abortSignal }),
        wait,
        piece.sizeBytes,
      )
      return copied?.ETag ?? ''
    } catch (error) {
      if (!('CopySourceIfMatch' in condition) || !(error instanceof S3Failure) || error.status !== 501) throw error
      onCondition = false
      return copy(command, piece, wait)
    }
  }
}

/** @param pieces all of them, as they were when their bytes were checked: no others are published */
export async function publishPieces(
  deps: PublishDeps,
  id: string,
  pieces: readonly Piece[],
  key: Key,
  wait: Wait,
): Promise<void> {
  const { s3 } = deps
  const sizeBytes = pieces.reduce((sum, piece) => sum + piece.sizeBytes, 0)
  const [only] = pieces
  const equal = areParts(pieces)
  const makeParts = (multipart: Multipart) =>
    equal ? copyParts(deps, id, pieces, multipart, wait) : rewriteParts(deps, id, pieces, multipart, wait)
  if (only !== undefined && pieces.length === 1) await copyPiece(s3, id, only, key, wait)
  else if (!equal && sizeBytes <= rewrittenBytes) await rewriteWhole(deps, id, pieces, { key, sizeBytes }, wait)
  else await publishParts(deps, id, { key, sizeBytes }, makeParts, wait)
  s3.recent.wrote(key, sizeBytes)
}

/** Whether pieces can be parts as they are, on R2 too. */
function areParts(pieces: readonly Piece[]): boolean {
  const partBytes = pieces[0]?.sizeBytes ?? 0
  const isEqual = pieces.slice(0, -1).every(({ sizeBytes }) => sizeBytes === partBytes)
  const isLastSmaller = (pieces.at(-1)?.sizeBytes ?? 0) <= partBytes
  return partBytes >= leastPartBytes && pieces.length <= mostParts && isEqual && isLastSmaller
}

async function copyPiece(s3: S3Connection, id: string, piece: Piece, key: Key, wait: Wait): Promise<void> {
  const headers = {
    ...contentFields(key),
    'x-amz-copy-source': sourceOf(s3, id, piece),
    'x-amz-copy-source-if-match': piece.etag,
    'x-amz-metadata-directive': 'REPLACE',
  }
  const what = `COPY to ${key}`
  const request = { method: 'PUT', key: s3.prefix + key, headers, workBytes: piece.sizeBytes } as const
  await unlessReplaced(id, s3.ask(what, request, wait))
}

async function copyParts(
  { s3, copyPart }: PublishDeps,
  id: string,
  pieces: readonly Piece[],
  { key, uploadId }: Multipart,
  wait: Wait,
): Promise<readonly string[]> {
  const before = await stillThere(s3, id, pieces, wait)
  const etags = await pMap(
    pieces.entries(),
    async ([part, piece]) => {
      const command = {
        Bucket: s3.bucket,
        Key: s3.prefix + key,
        UploadId: uploadId,
        PartNumber: part + 1,
        CopySource: sourceOf(s3, id, piece),
      }
      return unlessReplaced(id, copyPart(command, piece, wait))
    },
    { concurrency: copiesAtOnce },
  )
  // Where parts are copied without a condition: a piece that was the same before and after was not another one meanwhile.
  const after = await stillThere(s3, id, pieces, wait)
  if (after.some(({ modifiedMs }, at) => modifiedMs !== before[at]?.modifiedMs)) throw takenOver(id)
  return etags
}

/** The pieces as they are listed now. Rejects with `takenOver` where one is another. */
async function stillThere(
  s3: S3Connection,
  id: string,
  pieces: readonly Piece[],
  wait: Wait,
): Promise<readonly StagedPiece[]> {
  const now = (await readStaged(s3, id, wait)).pieces
  if (pieces.some(({ etag }, at) => etag !== now[at]?.etag)) throw takenOver(id)
  return now.slice(0, pieces.length)
}

async function rewriteWhole(
  { s3, rewrites }: PublishDeps,
  id: string,
  pieces: readonly Piece[],
  { key, sizeBytes }: { readonly key: Key; readonly sizeBytes: number },
  wait: Wait,
): Promise<void> {
  const at = { Bucket: s3.bucket, Key: s3.prefix + key, ...contentHeaders(key), ContentLength: sizeBytes }
  const bytes = (reading: Wait) => readPieces(s3, id, pieces, { start: 0, end: sizeBytes - 1 }, reading)
  await rewrites.run(wait.signal, () =>
    s3.call(
      `PUT ${key}`,
      (client, signal) =>
        sendStream(bytes({ signal }), signal, (Body, abortSignal) =>
          client.send(new PutObjectCommand({ ...at, Body }), { abortSignal }),
        ),
      wait,
      sizeBytes,
    ),
  )
}

async function rewriteParts(
  { s3, rewrites }: PublishDeps,
  id: string,
  pieces: readonly Piece[],
  { key, uploadId }: Multipart,
  wait: Wait,
): Promise<readonly string[]> {
  const sizeBytes = pieces.reduce((sum, piece) => sum + piece.sizeBytes, 0)
  const partBytes = Math.max(rewrittenBytes, Math.ceil(sizeBytes / mostParts))
  const etags: string[] = []
  for (let start = 0; start < sizeBytes; start += partBytes) {
    const range = { start, end: Math.min(start + partBytes, sizeBytes) - 1 }
    const at = {
      Bucket: s3.bucket,
      Key: s3.prefix + key,
      UploadId: uploadId,
      PartNumber: etags.length + 1,
      ContentLength: range.end - range.start + 1,
    }
    const bytes = (reading: Wait) => readPieces(s3, id, pieces, range, reading)
    const { ETag } = await rewrites.run(wait.signal, () =>
      s3.call(
        `PUT part ${at.PartNumber} of ${key}`,
        (client, signal) =>
          sendStream(bytes({ signal }), signal, (Body, abortSignal) =>
            client.send(new UploadPartCommand({ ...at, Body }), { abortSignal }),
          ),
        wait,
        at.ContentLength,
      ),
    )
    etags.push(ETag ?? '')
  }
  return etags
}

function sourceOf(s3: S3Connection, id: string, { offset }: Piece): string {
  return `${s3.bucket}/${s3.prefix}${uploadKey(id, offset)}`
}

async function unlessReplaced<Result>(id: string, work: Promise<Result>): Promise<Result> {
  try {
    return await work
  } catch (error) {
    throw wasReplaced(error) ? takenOver(id) : error
  }
}
