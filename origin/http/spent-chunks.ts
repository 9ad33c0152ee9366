// Memory of a body's chunks that is given back when they are stored or sent. Left to V8 it counts as in use until the next
// collection, and for each 64 MiB that passed through V8 collects all of its memory, which has nothing to do with it.

const owned = new WeakSet<ReadableStream<Uint8Array>>()

/** Nobody but whoever reads the stream has its chunks, or the memory that they lie in. */
export function ownChunks<Body extends ReadableStream<Uint8Array>>(body: Body): Body {
  owned.add(body)
  return body
}

/** Below this it is quicker to leave it. */
const leastBytes = 16 * 1024

/** The chunk, which was read from the stream, is not looked at any more: it has no bytes after this, if the stream owned them. */
export function freeChunk(body: ReadableStream<Uint8Array>, { buffer, byteLength }: Uint8Array): void {
  if (byteLength < leastBytes || byteLength !== buffer.byteLength || !owned.has(body)) return
  if (buffer instanceof ArrayBuffer) buffer.transfer(0)
}
