// What passes through a listener: requests in flight, bytes on its connections.

import type { Server } from 'node:http'
import type { Socket } from 'node:net'

export interface Traffic {
  /** From the request's headers to the last byte of its answer. */
  readonly inFlight: number
  /** Of all connections so far, headers included. */
  bytes(): { readonly received: number; readonly sent: number }
  watch(server: Server): void
}

export function watchTraffic(): Traffic {
  const open = new Set<Socket>()
  let [received, sent, inFlight] = [0, 0, 0]
  const ended = () => void (inFlight -= 1)

  return {
    get inFlight() {
      return inFlight
    },
    bytes() {
      const now = { received, sent }
      for (const { bytesRead, bytesWritten } of open) {
        now.received += bytesRead
        now.sent += bytesWritten
      }
      return now
    },
    watch(server) {
      server.on('request', (_, response) => {
        inFlight += 1
        response.on('close', ended)
      })
      // A socket counts its bytes itself: nothing has to be done for a request.
      server.on('connection', (socket) => {
        open.add(socket)
        socket.once('close', () => {
          open.delete(socket)
          received += socket.bytesRead
          sent += socket.bytesWritten
        })
      })
    },
  }
}
