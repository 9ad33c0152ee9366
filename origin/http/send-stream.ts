// Sends an answer whose body is a stream. Not by the library, which waits for each chunk to be sent before it asks for the
// next, and does not say when a chunk's memory is free again.

import type { ServerResponse } from 'node:http'
import type { StreamedAnswer } from '../../shared/http/answer.ts'
import type { Log } from '../../shared/ports/log.ts'
import { freeChunk } from './spent-chunks.ts'

/**
 * One chunk is read while the one before it is sent. Where the stream fails, the connection is cut: the status was sent
 * long ago, so that is all that shows the client that bytes are missing, and the log is told. Never rejects.
 *
 * @param to.id of the request
 */
export async function sendStream(
  { status, headers, body }: StreamedAnswer,
  to: { readonly outgoing: ServerResponse; readonly log: Log; readonly id: string | undefined },
): Promise<void> {
  const { outgoing } = to
  const reader = body.getReader()
  const gone = () => void reader.cancel(new Error('the client left')).catch(() => {})
  outgoing.once('close', gone)
  try {
    outgoing.writeHead(status, headers)
    let sending = Promise.resolve()
    for (;;) {
      const { done, value } = await reader.read()
      await sending
      if (done) break
      sending = send(outgoing, value).then(() => freeChunk(body, value))
      // Its failure is seen before the next one; until then nobody else waits for it.
      sending.catch(() => {})
    }
    outgoing.end()
  } catch (error) {
    // A client that left is why many a stream ends; that is not worth a line.
    if (!outgoing.destroyed) to.log.warn('an answer broke off', { id: to.id }, error)
    outgoing.destroy()
    gone()
  } finally {
    outgoing.off('close', gone)
  }
}

/** Resolves once the system has the bytes. Rejects where the connection is gone. */
function send(outgoing: ServerResponse, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const closed = () => reject(new Error('the connection was closed'))
    outgoing.once('close', closed)
    outgoing.write(bytes, (error) => {
      outgoing.off('close', closed)
      if (error) reject(error)
      else resolve()
    })
  })
}
