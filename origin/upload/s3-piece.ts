// One piece of an upload on S3: gathered in memory, then written once, under the offset where it begins.

import { createHash } from 'node:crypto'
import { HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { type Key, uploadKey } from '../../shared/layout/keys.ts'
import { unhurried } from '../../shared/concurrency/unhurried.ts'
import { takenOver } from '../../shared/ports/uploads.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { sendStream } from '../bucket/s3-body.ts'
import { contentFields, contentHeaders } from '../bucket/s3-bucket.ts'
import { type S3Connection, S3Failure } from '../bucket/s3-connection.ts'
import { blockBytes } from './upload-memory.ts'

/** A piece that is stored. */
export interface Piece {
  readonly offset: number
  readonly sizeBytes: number
  readonly etag: string
}

/** A piece that is being gathered. */
export class GatheredPiece {
  readonly offset: number
  sizeBytes = 0
  /** The memory that it takes. */
  readonly blocks: Buffer[] = []
  readonly #hash = createHash('sha256')
  readonly #hashes: boolean

  /** @param hashes whether `sha256` will be asked for */
  constructor(offset: number, hashes: boolean) {
    this.offset = offset
    this.#hashes = hashes
  }

  /** Bytes that it takes without another block. */
  get roomBytes(): number {
    return this.blocks.length * blockBytes - this.sizeBytes
  }

  /** Copies what there is room for, since a chunk may be tiny and hold on to much. Returns how many bytes that was. */
  fill(bytes: Uint8Array, limitBytes: number): number {
    const taken = Math.min(bytes.byteLength, this.roomBytes, limitBytes)
    this.blocks.at(-1)?.set(bytes.subarray(0, taken), this.sizeBytes % blockBytes)
    this.sizeBytes += taken
    // Block by block, and not all at the end, which would hold up everybody else.
    if (this.#hashes && taken > 0 && this.roomBytes === 0) this.#hash.update(this.blocks.at(-1) ?? '')
    return taken
  }

  /** In hex; undefined where it was not wanted. Takes no more bytes afterwards. */
  sha256(): string | undefined {
    if (!this.#hashes) return undefined
    if (this.roomBytes > 0) this.#hash.update(this.chunks().at(-1) ?? '')
    return this.#hash.digest('hex')
  }

  /** The bytes, in order. */
  chunks(): readonly Buffer[] {
    return this.blocks.map((block, at) => block.subarray(0, this.sizeBytes - at * blockBytes))
  }
}

export interface StorePieceOptions {
  /** Told apart from others that write to the same offset. */
  readonly writer: string
  /** Whether the server decides between them. */
  readonly conditional: boolean
}

/** Stores a piece, also when nobody waits for it any more. Rejects with `takenOver` where another process was faster. */
export async function storePiece(
  s3: S3Connection,
  id: string,
  piece: GatheredPiece,
  { writer, conditional }: StorePieceOptions,
): Promise<Piece> {
  const { offset, sizeBytes } = piece
  const key = uploadKey(id, offset)
  const at = { Bucket: s3.bucket, Key: s3.prefix + key }
  const stored = (etag: string | undefined): Piece => {
    // Without it nobody could tell later that this piece is still the same.
    if (etag === undefined) throw new UpstreamError('bucket', `PUT ${key} was answered without an ETag`)
    return { offset, sizeBytes, etag }
  }
  const put = { key, writer, conditional }
  try {
    return stored(await (piece.blocks.length === 1 ? putWhole(s3, piece, put) : putStream(s3, piece, put)))
  } catch (error) {
    if (!(error instanceof S3Failure) || error.status !== 412) throw error
    // Perhaps ourselves: a try that succeeded, and whose answer was lost.
    const found = await s3.call(
      `HEAD ${key}`,
      (client, abortSignal) => client.send(new HeadObjectCommand(at), { abortSignal }),
      unhurried,
    )
    if (found.Metadata?.['writer'] !== writer || found.ContentLength !== sizeBytes) throw takenOver(id)
    return stored(found.ETag)
  }
}

interface PutPiece extends StorePieceOptions {
  readonly key: Key
}

/** Returns its ETag. Its memory may be used again before a request that nobody waits for has ended, so a copy is sent. */
async function putWhole(
  s3: S3Connection,
  piece: GatheredPiece,
  { key, writer, conditional }: PutPiece,
): Promise<string | undefined> {
  const headers = {
    ...contentFields(key),
    ...(conditional ? { 'If-None-Match': '*' } : {}),
    'x-amz-meta-writer': writer,
  }
  const body = Buffer.concat(piece.chunks())
  const answer = await s3.ask(`PUT ${key}`, { method: 'PUT', key: s3.prefix + key, headers, body }, unhurried)
  return answer.header('etag')
}

/** Returns its ETag. */
async function putStream(
  s3: S3Connection,
  piece: GatheredPiece,
  { key, writer, conditional }: PutPiece,
): Promise<string | undefined> {
  const { sizeBytes } = piece
  const condition = { ...(conditional ? { IfNoneMatch: '*' } : {}), Metadata: { writer }, ContentLength: sizeBytes }
  const chunks = piece.chunks()
  const signed = piece.sha256()
  const { ETag } = await s3.call(
    `PUT ${key}`,
    (client, signal) =>
      sendStream(chunks, signal, (Body, abortSignal) => {
        const at = { Bucket: s3.bucket, Key: s3.prefix + key }
        const command = new PutObjectCommand({ ...at, ...contentHeaders(key), ...condition, Body })
        if (signed !== undefined) signWith(command, signed)
        return client.send(command, { abortSignal })
      }),
    unhurried,
    sizeBytes,
  )
  return ETag
}

/** The library signs no stream; where nothing else protects the bytes on their way, their hash enters the signature. */
function signWith(command: PutObjectCommand, hash: string): void {
  command.middlewareStack.add(
    (next) => (args) => {
      ;(args.request as { headers: Record<string, string> }).headers['x-amz-content-sha256'] = hash
      return next(args)
    },
    { step: 'build', name: 'signBytes' },
  )
}
