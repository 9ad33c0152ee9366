// A proxy in front of a process, as operators have one: for TLS, under another address; or at fault.

import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, type RequestListener, request } from 'node:http'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { IssuedCertificate } from './certificates.ts'

export interface Front {
  /** With `localhost`, which certificates name. */
  readonly url: string
  /** Where requests go; may be set at any time. Undefined: it answers 404 itself. */
  target: string | undefined
  /** By how many milliseconds the time is wrong that it says. */
  skewMs: number
  stop(): Promise<void>
}

/** @param certificate for TLS; without it, plain HTTP @param options of the TLS server */
export async function startFront(
  target?: string,
  certificate?: IssuedCertificate,
  options: ServerOptions = {},
): Promise<Front> {
  const handle: RequestListener = (incoming, outgoing) => {
    if (front.target === undefined) {
      outgoing.writeHead(404, { 'Content-Type': 'text/plain' }).end('nothing here')
      return
    }
    const { hostname, port } = new URL(front.target)
    const { method, url: path, headers } = incoming
    const onward = request({ hostname, port, path, method, headers })
    onward.on('response', (answer) => {
      const { date = new Date().toUTCString(), ...rest } = answer.headers
      const said = new Date(Date.parse(date) + front.skewMs).toUTCString()
      outgoing.writeHead(answer.statusCode ?? 500, { ...rest, date: said })
      answer.pipe(outgoing)
    })
    onward.on('error', () => outgoing.destroy())
    incoming.pipe(onward)
  }
  const server =
    certificate === undefined
      ? createServer(handle)
      : createTlsServer({ cert: certificate.cert, key: await readFile(certificate.keyFile), ...options }, handle)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const front: Front = {
    url: `${certificate === undefined ? 'http' : 'https'}://localhost:${port}`,
    target,
    skewMs: 0,
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return front
}
