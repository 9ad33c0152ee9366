// What happens when an answer breaks off: its status was sent long ago, so all that is left is to cut the connection, for
// the client to see that bytes are missing, and to tell the log.

import type { ServerResponse } from 'node:http'
import type { Log } from '../../shared/ports/log.ts'

/**
 * The same stream; where it fails the connection is cut, and it ends as if it were whole. The library that sends it
 * would print the error in its own way.
 */
export function cutWhereBroken(
  body: ReadableStream<Uint8Array>,
  to: { readonly outgoing: ServerResponse; readonly log: Log; readonly id: string | undefined },
): ReadableStream<Uint8Array> {
  const reader = body.getReader()
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read()
          if (done) controller.close()
          else controller.enqueue(value)
        } catch (error) {
          // A client that left is why many a stream ends; that is not worth a line.
          if (!to.outgoing.destroyed) to.log.warn('an answer broke off', { id: to.id }, error)
          to.outgoing.destroy()
          controller.close()
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  )
}
