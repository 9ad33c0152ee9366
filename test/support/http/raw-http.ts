// HTTP as bytes on a connection: what clients of any library would tidy up before it is sent.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export interface RawAnswer {
  readonly status: number
  readonly headers: Headers
  readonly body: string
}

/** A connection and all that came back on it so far, one character a byte. */
export interface RawConnection {
  readonly socket: Socket
  readonly received: () => string
  /** Resolves when the connection is gone, whoever ended it and however. */
  readonly closed: Promise<void>
}

export async function openConnection(url: string): Promise<RawConnection> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  await once(socket, 'connect')
  let received = ''
  socket.setEncoding('latin1')
  socket.on('data', (text: string) => (received += text))
  // A reset is one more way to end.
  socket.on('error', () => {})
  const closed = new Promise<void>((done) => socket.once('close', () => done()))
  return { socket, received: () => received, closed }
}

/** Sends bytes (a text: one byte a character) in one write; returns the answers that came until the other side closed. */
export async function exchange(url: string, request: string): Promise<readonly RawAnswer[]> {
  const { socket, received, closed } = await openConnection(url)
  socket.write(request, 'latin1')
  await closed
  return parseAnswers(received())
}

/** @param text of whole answers with a Content-Length or none, none of them to HEAD */
export function parseAnswers(text: string): readonly RawAnswer[] {
  const answers: RawAnswer[] = []
  for (let rest = text; rest !== '';) {
    const headEnd = rest.indexOf('\r\n\r\n')
    const [statusLine = '', ...lines] = rest.slice(0, headEnd).split('\r\n')
    const status = Number(/^HTTP\/1\.[01] (\d{3}) /.exec(statusLine)?.[1])
    if (headEnd === -1 || Number.isNaN(status)) throw new Error(`this is no answer: ${JSON.stringify(rest)}`)
    const headers = new Headers(
      lines.map((line): [string, string] => [line.replace(/:.*/, ''), line.replace(/^[^:]*:/, '').trim()]),
    )
    const length = Number(headers.get('Content-Length') ?? 0)
    const body = rest.slice(headEnd + 4, headEnd + 4 + length)
    if (body.length < length) throw new Error(`this answer broke off: ${JSON.stringify(rest)}`)
    answers.push({ status, headers, body })
    rest = rest.slice(headEnd + 4 + length)
  }
  return answers
}

/** The code of an answer in the OCI error form; throws where the form is not that. */
export function ociCode({ status, headers, body }: RawAnswer): string {
  const type = headers.get('Content-Type')
  if (type !== 'application/json' || headers.get('Cache-Control') !== 'no-store')
    throw new Error(`${status} came as ${type}, Cache-Control ${headers.get('Cache-Control')}: ${body}`)
  const { errors } = JSON.parse(body) as { errors: { code: string; message: string; detail: string }[] }
  const [first] = errors
  if (first === undefined || first.message === '' || first.detail === '') throw new Error(`${body} says too little`)
  return first.code
}
