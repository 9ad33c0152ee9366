// An HTTP listener that can be drained.

import { getRequestListener, type HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import type { AddressInfo, Socket } from 'node:net'
import { createServer, type Server, type ServerOptions } from 'node:http'
import { createServer as createTlsServer, Server as TlsServer } from 'node:https'
import { type EdgeWord, edgeWordHeader } from '../../shared/auth/edge-word.ts'
import { clientInfo } from '../../shared/http/client-info.ts'
import { streamedAnswer, toResponse } from '../../shared/http/answer.ts'
import { errorAnswer } from '../../shared/http/write-error.ts'
import type { ClientBindings } from '../../shared/ports/client-info.ts'
import type { Log } from '../../shared/ports/log.ts'
import type { IpNetwork } from '../../shared/protocol/ip-address.ts'
import type { Traffic } from '../metrics/traffic.ts'
import { type ConnectionLimit, limitConnections } from './connection-limit.ts'
import type { ListenAddress } from '../config/schema.ts'
import { type CertificatePair, leastTlsVersion } from '../tls/certificate-pair.ts'
import type { FollowedCertificate } from '../tls/followed-certificate.ts'
import { requestBody } from './request-body.ts'
import { sendStream } from './send-stream.ts'
import { outsideApp, refuseMalformed, severalHosts, tooManyHeaders } from './malformed-requests.ts'

export interface HttpListener {
  /** With the port that was really taken. */
  readonly address: ListenAddress
  /** Takes no more requests, lets those in flight end for at most `drainMs`, then cuts what is left. */
  drain(drainMs: number): Promise<void>
}

/**
 * @param options.idleTimeoutMs after which a connection is closed on which nothing moved, request bodies included
 * @param options.traffic counts what passes
 * @param options.certificate for TLS; without it, plain HTTP
 * @param options.trustedProxies whose word on who the client is counts
 * @param options.edgeWord by which edges are known, whose word counts too
 * @param options.perClient how many connections each may have; without it, any number
 */
export async function listenHttp(options: {
  readonly fetch: (request: Request, bindings: ClientBindings) => Response | Promise<Response>
  readonly address: ListenAddress
  readonly idleTimeoutMs: number
  readonly log: Log
  readonly traffic?: Traffic | undefined
  readonly certificate?: FollowedCertificate | undefined
  readonly trustedProxies?: readonly IpNetwork[] | undefined
  readonly edgeWord?: EdgeWord | undefined
  readonly perClient?: Omit<ConnectionLimit, 'log'> | undefined
}): Promise<HttpListener> {
  const listener = getRequestListener(
    async (request, env) => {
      const bindings = env as HttpBindings
      if ((bindings.incoming.headersDistinct['host'] ?? []).length > 1)
        return toResponse(errorAnswer(severalHosts, request.method))
      if (bindings.incoming.rawHeaders.length > 2 * mostHeaders)
        return toResponse(errorAnswer(tooManyHeaders(mostHeaders), request.method))
      pauseIdleLimit(bindings, options.idleTimeoutMs)
      giveBody(request, bindings)
      const peer = bindings.incoming.socket.remoteAddress
      const { edge, client = clientInfo(request, peer, options.trustedProxies ?? []) } = await saidByEdge(
        request,
        options.edgeWord,
      )
      const known = hasDotSegment(bindings.incoming.url ?? '') ? atRoot(request) : request
      const response = await options.fetch(known, { client, edge })
      discardRest(bindings)
      const streamed = streamedAnswer(response)
      if (streamed === undefined) return response
      const { outgoing } = bindings
      await sendStream(streamed, { outgoing, log: options.log, id: streamed.headers['X-Request-Id'] })
      return RESPONSE_ALREADY_SENT
    },
    { errorHandler: outsideApp },
  )
  // A push may take hours; what must not is silence, and `timeout` sees to that. Headers have a limit of their own,
  // which Node would take away with the other. A missing Host is refused by the library, so that the answer is ours.
  const headersTimeout = Math.min(longestHeadersMs, options.idleTimeoutMs)
  const limits = {
    requestTimeout: 0,
    headersTimeout,
    connectionsCheckingInterval: headersTimeout / 4,
    requireHostHeader: false,
  }
  const server = createListening(options.certificate, limits)
  // Node would leave out those that are too many, and let the rest pass for all there is.
  server.maxHeadersCount = 0
  if (options.perClient !== undefined) limitConnections(server, { ...options.perClient, log: options.log })
  server.on('request', (incoming, outgoing) => void listener(incoming, outgoing))
  const endHandshakes = watchHandshakes(server)
  refuseMalformed(server)
  server.timeout = options.idleTimeoutMs
  options.traffic?.watch(server)
  await new Promise<void>((done, fail) => {
    server.once('error', fail)
    server.listen({ port: options.address.port, host: options.address.host }, () => {
      server.off('error', fail)
      done()
    })
  })
  const { port } = server.address() as AddressInfo
  return { address: { host: options.address.host, port }, drain: (drainMs) => drain(server, drainMs, endHandshakes) }
}

/** Whom an edge asks for, and whether it is one that is known; nothing where none says so. */
async function saidByEdge({ headers }: Request, word: EdgeWord | undefined): Promise<ClientBindings> {
  const said = word && headers.get(edgeWordHeader)
  if (!said || !word) return {}
  const client = await word.verify(said)
  return client === undefined ? { edge: 'unknown' } : { edge: 'known', client }
}

/** Milliseconds for all headers of a request. */
const longestHeadersMs = 60_000

/** Headers of a request; clients send a dozen, and each proxy on the way a few more. */
const mostHeaders = 100

/** Milliseconds for a TLS handshake; the limits of HTTP begin behind it. */
const handshakeTimeoutMs = 30_000

function createListening(certificate: FollowedCertificate | undefined, limits: ServerOptions): Server {
  if (certificate === undefined) return createServer(limits)
  const context = ({ cert, key }: CertificatePair) => ({ cert, key, minVersion: leastTlsVersion }) as const
  const tls = { ALPNProtocols: ['http/1.1'], handshakeTimeout: handshakeTimeoutMs }
  const server = createTlsServer({ ...limits, ...tls, ...context(certificate.pair) })
  certificate.onChange((pair) => server.setSecureContext(context(pair)))
  return server
}

/** A connection in the middle of a TLS handshake is none of HTTP's yet, which would not close it. Returns what does. */
function watchHandshakes(server: Server): () => void {
  if (!(server instanceof TlsServer)) return () => {}
  const open = new Map<string, Socket>()
  const nameOf = ({ remoteAddress, remotePort }: Socket) => `${remoteAddress} ${remotePort}`
  server.on('connection', (socket: Socket) => {
    const name = nameOf(socket)
    open.set(name, socket)
    socket.once('close', () => open.delete(name))
  })
  server.on('secureConnection', (socket) => open.delete(nameOf(socket)))
  return () => {
    for (const socket of open.values()) socket.destroy()
  }
}

/** The body of a request that may have one, made when it is first asked for. */
function giveBody(request: Request, { incoming }: HttpBindings): void {
  if (incoming.method === 'GET' || incoming.method === 'HEAD') return
  let body: ReadableStream<Uint8Array> | undefined
  Object.defineProperty(request, 'body', { get: () => (body ??= requestBody(incoming)) })
}

/** The same request for a path that is no route anywhere: it is refused, and logged, like any other that is none. */
function atRoot(request: Request): Request {
  return Object.create(request, { url: { value: new URL('/', request.url).href } }) as Request
}

/** Whether a path would be another one after normalising, which the library does before anyone sees it as it was sent. */
function hasDotSegment(target: string): boolean {
  return /\/(?:\.|%2e){1,2}(?:[/?#]|$)/i.test(target.split('?')[0] ?? '')
}

/** Once a request body has arrived the silence on its connection is ours: hashing and syncing a large blob take time. */
function pauseIdleLimit({ incoming, outgoing }: HttpBindings, idleTimeoutMs: number): void {
  if (incoming.method === 'GET' || incoming.method === 'HEAD') return
  const { socket } = incoming
  incoming.once('end', () => {
    if (!outgoing.writableEnded) socket.setTimeout(0)
  })
  outgoing.once('finish', () => socket.setTimeout(idleTimeoutMs))
}

/**
 * A request may be answered before its body was read to the end (too large, refused, gone wrong). The rest has to be
 * read away before the connection takes another request; the library does so for half a second, then it closes. But
 * where a part of the body was read, the stream it was read by still listens and would pause the connection for good.
 */
function discardRest({ incoming, outgoing }: HttpBindings): void {
  if (incoming.readableEnded) return
  outgoing.once('finish', () => {
    if (!incoming.readableEnded) incoming.removeAllListeners('data').resume()
  })
}

async function drain(server: Server, drainMs: number, endHandshakes: () => void): Promise<void> {
  const closed = new Promise<void>((done) => server.close(() => done()))
  endHandshakes()
  // A connection that is busy now would be kept alive for the next request: ask clients not to, and close it when it falls idle.
  server.prependListener('request', (_, response) => response.setHeader('Connection', 'close'))
  const sweep = setInterval(() => server.closeIdleConnections(), 50)
  const cut = setTimeout(() => server.closeAllConnections(), drainMs)
  await closed
  clearInterval(sweep)
  clearTimeout(cut)
}
