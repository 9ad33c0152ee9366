// A request's body as a web stream.

import type { IncomingMessage } from 'node:http'
import { ownChunks } from './spent-chunks.ts'

/** Bytes that wait for their reader before the connection is paused. */
const waitingBytes = 256 * 1024

/**
 * The chunks as they arrive, none copied: the library's own stream copies each of them and passes it through two more.
 * Errors where the connection ends before the body does.
 */
export function requestBody(incoming: IncomingMessage): ReadableStream<Uint8Array> {
  let stop = () => {}
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const onData = (chunk: Uint8Array) => {
          controller.enqueue(chunk)
          if ((controller.desiredSize ?? 0) <= 0) incoming.pause()
        }
        const onEnd = () => {
          stop()
          controller.close()
        }
        const onClose = () => fail(new Error('the connection ended before the request did'))
        const fail = (error: Error) => {
          stop()
          controller.error(error)
        }
        stop = () => {
          incoming.off('data', onData).off('end', onEnd).off('error', fail).off('close', onClose)
          incoming.pause()
        }
        if (incoming.destroyed && !incoming.readableEnded) return onClose()
        incoming.on('data', onData).once('end', onEnd).once('error', fail).once('close', onClose)
      },
      pull() {
        incoming.resume()
      },
      cancel() {
        stop()
      },
    },
    new ByteLengthQueuingStrategy({ highWaterMark: waitingBytes }),
  )
  // The parser makes a new buffer for each.
  return ownChunks(body)
}
