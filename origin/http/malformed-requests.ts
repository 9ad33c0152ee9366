// Answers to what never becomes a request, because Node or the library between finds it malformed first: the same
// form of error as everywhere, and no cache may keep it. Source: RFC 9112.

import { RequestError } from '@hono/node-server'
import { type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { toResponse } from '../../shared/http/answer.ts'
import { errorAnswer } from '../../shared/http/write-error.ts'
import { OciError } from '../../shared/protocol/errors.ts'

const malformed = (detail: string, status = 400) => new OciError('UNSUPPORTED', detail, { status })

/** Why Node's parser gave up, by its code; any other code is a malformed message. */
const parserFaults: Readonly<Record<string, OciError>> = {
  HPE_HEADER_OVERFLOW: malformed('path and headers together have at most 16 KiB', 431),
  HPE_CHUNK_EXTENSIONS_OVERFLOW: malformed('the extensions of a chunk are too large', 413),
  ERR_HTTP_REQUEST_TIMEOUT: malformed('the headers did not arrive in time', 408),
}

/** Answers what Node would answer without a body, or by closing the connection. */
export function refuseMalformed(server: Server): void {
  const answering = new WeakMap<Duplex, ServerResponse>()
  server.prependListener('request', (incoming, outgoing) => answering.set(incoming.socket, outgoing))
  server.on('clientError', (error: ParserError, socket) => {
    const fault = parserFaults[error.code ?? ''] ?? malformed('this is no well-formed HTTP request')
    const method = isHead(error) ? 'HEAD' : 'GET'
    const before = answering.get(socket)
    if (before === undefined) void refuse(socket, fault, method)
    else if (before.req.complete) afterwards(before, () => void refuse(socket, fault, method))
    // What is malformed is the body of a request that has its answer, or a part of it.
    else if (before.headersSent) socket.destroy()
    else void refuse(socket, fault, method)
  })
  server.on('checkExpectation', (_, outgoing) => {
    const { socket } = outgoing
    if (socket !== null) void refuse(socket, malformed('the only expectation met here is 100-continue', 417))
  })
  server.on('connect', (_, socket) => void refuse(socket, new OciError('UNSUPPORTED', 'this is no proxy')))
}

/** What Node's parser tells of its failure. */
interface ParserError extends NodeJS.ErrnoException {
  /** What had arrived last. */
  readonly rawPacket?: Buffer
  /** Where in it the parser stopped. */
  readonly bytesParsed?: number
}

/** Whether it was to become a HEAD request, whose answer has no body: a client would take one for the next answer. */
function isHead({ rawPacket, bytesParsed = 0 }: ParserError): boolean {
  const parsed = rawPacket?.toString('latin1', 0, bytesParsed) ?? ''
  return (parsed.split('\r\n\r\n').at(-1) ?? '').startsWith('HEAD ')
}

/** When an answer is out: a client would take another one for it. */
function afterwards(answer: ServerResponse, then: () => void): void {
  if (answer.writableFinished) then()
  else answer.once('finish', then)
}

/** The answer to a failure before or beside the app: a target or Host that is no URL is the client's fault. */
export function outsideApp(error: unknown): Response {
  const fault = error instanceof RequestError ? malformed('path and Host make no URL') : error
  return toResponse(errorAnswer(fault, 'GET'))
}

/** RFC 9112 section 3.2: a request with two hosts is refused, as others on the way may have believed the other one. */
export const severalHosts = malformed('a request has one Host')

/** @param most that a request may have */
export const tooManyHeaders = (most: number) => malformed(`a request has at most ${most} headers`, 431)

/** Once a message was malformed nobody knows where the next one begins, so the connection ends. */
async function refuse(socket: Duplex, fault: OciError, method = 'GET'): Promise<void> {
  const response = toResponse(errorAnswer(fault, method))
  const head = [...response.headers].map(([name, value]) => `${name}: ${value}\r\n`).join('')
  const body = await response.text()
  const status = `${response.status} ${STATUS_CODES[response.status]}`
  if (!socket.writable) socket.destroy()
  else socket.end(`HTTP/1.1 ${status}\r\n${head}connection: close\r\n\r\n${body}`, () => socket.destroy())
}
