// A proxy that passes everything on as it came, the Host too. It stands for another host in front of a server: as an HTTP
// proxy for clients that are to come by a name of their own, or as an object store that leaves out some header.

import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface PassingProxy {
  readonly url: string
  stop(): Promise<void>
}

/**
 * @param target may become known later: requests wait for it
 * @param withoutHeader of answers; in lower case
 */
export async function startPassingProxy(
  target: string | Promise<string>,
  withoutHeader?: string,
): Promise<PassingProxy> {
  const pass = (incoming: IncomingMessage, outgoing: ServerResponse, to: URL) => {
    // A client of an HTTP proxy sends the whole URL.
    const path = (incoming.url ?? '').replace(/^http:\/\/[^/]+/, '')
    const { hostname, port } = to
    const onward = request({ hostname, port, path, method: incoming.method, headers: incoming.headers })
    onward.on('response', (answer) => {
      const headers = { ...answer.headers }
      if (withoutHeader !== undefined) delete headers[withoutHeader]
      outgoing.writeHead(answer.statusCode ?? 500, headers)
      answer.pipe(outgoing)
    })
    onward.on('error', () => outgoing.destroy())
    incoming.on('error', () => {})
    outgoing.on('close', () => onward.destroy())
    incoming.pipe(onward)
  }
  const server = createServer((incoming, outgoing) => {
    void Promise.resolve(target).then((url) => pass(incoming, outgoing, new URL(url)))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
