// A proxy in front of a process, as operators have one: for TLS, under another address; or at fault.

import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, type OutgoingHttpHeaders, request, type RequestListener } from 'node:http'
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
  /** Largest body that it takes, in bytes. */
  mostBytes: number
  /** Whether it gives an answer out again, whatever that says of it. */
  keepsAnswers: boolean
  stop(): Promise<void>
}

/** @param certificate for TLS; without it, plain HTTP @param options of the TLS server */
export async function startFront(
  target?: string,
  certificate?: IssuedCertificate,
  options: ServerOptions = {},
): Promise<Front> {
  const kept = new Map<string, OutgoingHttpHeaders>()
  const handle: RequestListener = (incoming, outgoing) => {
    if (Number(incoming.headers['content-length'] ?? 0) > front.mostBytes) {
      outgoing.writeHead(413).end()
      return
    }
    const known = kept.get(incoming.url ?? '')
    if (known !== undefined && front.keepsAnswers) {
      outgoing.writeHead(200, known).end()
      return
    }
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
      // A manifest's headers are all that is looked at.
      if (front.keepsAnswers && path?.includes('/manifests/probe') === true)
        kept.set(path, { ...rest, 'content-length': 0 })
    })
    // Before any of the body is asked for.
    onward.on('continue', () => outgoing.writeContinue())
    onward.on('error', () => outgoing.destroy())
    incoming.pipe(onward)
  }
  const server =
    certificate === undefined
      ? createServer(handle)
      : createTlsServer({ cert: certificate.cert, key: await readFile(certificate.keyFile), ...options }, handle)
  server.on('checkContinue', handle)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const front: Front = {
    url: `${certificate === undefined ? 'http' : 'https'}://localhost:${port}`,
    target,
    skewMs: 0,
    mostBytes: Number.POSITIVE_INFINITY,
    keepsAnswers: false,
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return front
}
