// Hands the body of a request on in pieces of one buffer. A stream that is written in JavaScript makes a buffer for each
// piece, and the isolate collects them so late that its memory grows with what passes.

import type { RelayBody } from '../shared/edge/origin-client.ts'

const bufferBytes = 64 * 1024

export const relayBody: RelayBody = (body, { lengthBytes, onChunk, onBroken }) => {
  const { readable, writable } =
    lengthBytes === undefined ? new IdentityTransformStream() : new FixedLengthStream(lengthBytes)
  void relay(body.getReader({ mode: 'byob' }), writable.getWriter(), onChunk, onBroken)
  return readable
}

async function relay(
  reader: ReadableStreamBYOBReader,
  writer: WritableStreamDefaultWriter<Uint8Array>,
  onChunk: () => void,
  onBroken: (error: unknown) => void,
): Promise<void> {
  let buffer = new ArrayBuffer(bufferBytes)
  for (;;) {
    let piece
    try {
      piece = await reader.read(new Uint8Array(buffer))
    } catch (error) {
      onBroken(error)
      await writer.abort(error).catch(() => {})
      return
    }
    if (piece.value === undefined || piece.done) {
      await writer.close().catch(onBroken)
      return
    }
    onChunk()
    try {
      // Resolves once the bytes were taken, so the buffer is ours again.
      await writer.write(piece.value)
    } catch (error) {
      // The origin has answered, or is gone: nobody reads on.
      await reader.cancel(error).catch(() => {})
      return
    }
    buffer = piece.value.buffer
  }
}
