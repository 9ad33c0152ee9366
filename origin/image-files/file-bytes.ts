// A part of a file as a web stream.

import { createReadStream } from 'node:fs'

/** Bytes that are read at once. */
const chunkBytes = 1024 * 1024

/** All of a file, or a part of it. Opened when it is read. */
export function fileBytes(
  path: string,
  part?: { readonly offset: number; readonly sizeBytes: number },
): ReadableStream<Uint8Array> {
  if (part?.sizeBytes === 0) return ReadableStream.from([])
  const range = part === undefined ? {} : { start: part.offset, end: part.offset + part.sizeBytes - 1 }
  return ReadableStream.from<Uint8Array>(createReadStream(path, { ...range, highWaterMark: chunkBytes }))
}
