// A file as a web stream.

import type { FileHandle } from 'node:fs/promises'
import type { Key } from '../../shared/layout/keys.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { ownChunks } from '../http/spent-chunks.ts'

/** Bytes a read; smaller ones halve the speed, larger ones only hold more memory. */
const chunkBytes = 1024 * 1024

/**
 * The bytes from `start` to `end`, both included, read as the consumer asks for them and never ahead. Closes the file
 * at the end, on error and on cancel. Nobody else has its chunks.
 * @param key of the file, for messages
 */
export function fileStream(
  file: FileHandle,
  start: number,
  end: number,
  key: Key,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let position = start
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      async pull(controller) {
        try {
          if (position > end) {
            await file.close()
            controller.close()
            return
          }
          const buffer = new Uint8Array(Math.min(chunkBytes, end - position + 1))
          const { bytesRead } = await file.read(buffer, 0, buffer.byteLength, position)
          if (bytesRead === 0) throw new UpstreamError('bucket', `${key} became shorter while it was read`)
          position += bytesRead
          controller.enqueue(bytesRead === buffer.byteLength ? buffer : buffer.subarray(0, bytesRead))
        } catch (error) {
          await file.close()
          throw error
        }
      },
      cancel: () => file.close(),
    },
    { highWaterMark: 0 },
  )
  return ownChunks(stream)
}
