// Takes a stream into an upload on S3: while one piece is stored, the next is gathered.

import type { Wait } from '../../shared/ports/bucket.ts'
import type { S3Connection } from '../bucket/s3-connection.ts'
import { GatheredPiece, type Piece, storePiece, type StorePieceOptions } from './s3-piece.ts'
import { freeChunk } from '../http/spent-chunks.ts'
import type { UploadMemory } from './upload-memory.ts'

export interface AppendTo extends StorePieceOptions {
  readonly id: string
  readonly offset: number
  readonly pieceBytes: number
  /** Is told of every piece that was stored, in order, before its bytes are shown. */
  readonly onPiece: (piece: Piece) => void
  readonly onStored: (chunk: Uint8Array) => unknown
}

/** Returns the new size. What arrived before the stream broke, or the signal was aborted, is stored before it rejects. */
export async function appendPieces(
  s3: S3Connection,
  memory: UploadMemory,
  body: ReadableStream<Uint8Array>,
  to: AppendTo,
  { signal }: Wait,
): Promise<number> {
  const holding = memory.join(() => void flush().catch(() => {}))
  let piece = new GatheredPiece(to.offset, s3.signsBytes)
  let size = to.offset
  let storing: Promise<void> = Promise.resolve()

  async function store(gathered: GatheredPiece): Promise<void> {
    const giveBack = holding.storing(gathered.blocks)
    try {
      const stored = await storePiece(s3, to.id, gathered, to)
      size += stored.sizeBytes
      to.onPiece(stored)
      for (const chunk of gathered.chunks()) await to.onStored(chunk)
    } finally {
      giveBack()
    }
  }

  /** Begins to store what was gathered, once what came before it is stored. */
  async function flush(): Promise<void> {
    await storing
    if (piece.sizeBytes === 0) return
    const gathered = piece
    piece = new GatheredPiece(gathered.offset + gathered.sizeBytes, s3.signsBytes)
    storing = store(gathered)
    // Its failure is seen at the next flush; until then nobody else waits for it.
    storing.catch(() => {})
  }

  async function gather(bytes: Uint8Array): Promise<void> {
    let rest = bytes
    while (rest.byteLength > 0) {
      if (piece.roomBytes === 0) {
        const block = await holding.take(signal)
        if (block === undefined) await flush()
        else piece.blocks.push(block)
        continue
      }
      rest = rest.subarray(piece.fill(rest, to.pieceBytes - piece.sizeBytes))
      if (piece.sizeBytes === to.pieceBytes) await flush()
    }
  }

  const reader = body.getReader()
  const stop = () => void reader.cancel(signal.reason).catch(() => {})
  signal.addEventListener('abort', stop, { once: true })
  try {
    signal.throwIfAborted()
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      await gather(value)
      freeChunk(body, value)
    }
    signal.throwIfAborted()
  } finally {
    signal.removeEventListener('abort', stop)
    try {
      await flush()
      await storing
    } finally {
      holding.leave(piece.blocks)
      reader.releaseLock()
    }
  }
  return size
}
