// Small requests to an S3-like bucket, sent without S3's library: looks and links are most of what a registry asks for,
// and the library takes several times as much CPU for each.

import { createHash } from 'node:crypto'
import aws4 from 'aws4'
import { Agent, type Dispatcher } from 'undici'
import { amzDate } from '../../shared/edge/signed-links.ts'
import type { Clock } from '../../shared/ports/clock.ts'
import { parseS3Error } from '../../shared/protocol/s3-answers.ts'
import type { S3Access } from './s3-connection.ts'

export interface S3Request {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'DELETE'
  /** With the connection's prefix; undefined: the bucket itself. */
  readonly key?: string
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  /** Is read until the request ends, also where nobody waits for it any more. */
  readonly body?: Uint8Array
  /** Bytes of an answer that is still read. */
  readonly limitBytes?: number
  /** Bytes that the server has to move for it, which takes time. */
  readonly workBytes?: number
}

export interface S3Answer {
  /** Lower-case name. */
  header(name: string): string | undefined
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** The server said no. */
export class S3Refusal extends Error {
  readonly status: number
  /** S3's own word for it, where there is one. */
  readonly code: string

  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

/** An answer has more bytes than somebody wanted. */
export class AnswerTooLarge extends Error {}

/** Rejects with S3Refusal, AnswerTooLarge, the signal's reason, or an error of the network that has a `code`. */
export type SendS3Request = (request: S3Request, signal: AbortSignal) => Promise<S3Answer>

/** Bytes of an error that are read. */
const errorLimitBytes = 64 * 1024

/** Whatever lists a thousand keys is smaller. */
const defaultLimitBytes = 16 * 1024 * 1024

/** Of a body that no signature covers. Source: Amazon S3 API Reference, "Authenticating Requests". */
const unsigned = 'UNSIGNED-PAYLOAD'

/**
 * @param signsBytes whether signatures cover bodies
 * @param connections to the server at once
 * @param connectTimeoutMs until a connection must stand
 */
export function createS3Requests(deps: {
  readonly access: S3Access
  readonly clock: Clock
  readonly signsBytes: boolean
  readonly connections: number
  readonly connectTimeoutMs: number
}): SendS3Request {
  const { access, clock, signsBytes } = deps
  const { origin, host, pathname } = new URL(access.endpoint)
  const root = `${pathname === '/' ? '' : pathname}/${encodeURIComponent(access.bucket)}`
  const agent = new Agent({
    connections: deps.connections,
    connect: { timeout: deps.connectTimeoutMs },
    // Callers have deadlines of their own.
    headersTimeout: 0,
    bodyTimeout: 0,
  })

  function send(request: S3Request, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const { method, key, query, body } = request
    const parameters = query === undefined ? '' : `?${new URLSearchParams(query).toString().replaceAll('+', '%20')}`
    const path = root + (key === undefined ? '' : `/${key.split('/').map(encodeURIComponent).join('/')}`) + parameters
    const headers = {
      ...request.headers,
      Host: host,
      'X-Amz-Date': amzDate(clock.now()),
      'X-Amz-Content-Sha256': signsBytes ? sha256(body) : unsigned,
    }
    const signed = aws4.sign({ method, path, headers, service: 's3', region: access.region }, access)
    const Authorization = String(signed.headers?.['Authorization'])
    return agent.request({
      origin,
      path,
      method,
      headers: { ...headers, Authorization },
      body: body ?? null,
      signal,
      // Else undici closes a connection after a HEAD, against servers that send a body with its answer. S3 sends none.
      reset: false,
    })
  }

  return async (request, signal) => {
    const { limitBytes = defaultLimitBytes } = request
    const { statusCode, headers, body } = await send(request, signal)
    const header = (name: string) => {
      const value = headers[name]
      return Array.isArray(value) ? value.join(', ') : value
    }
    if (statusCode >= 300) throw refusal(statusCode, await textOf(request, body))
    if (request.method === 'HEAD') {
      await body.dump()
      return { header, bytes: new Uint8Array() }
    }
    const bytes = await readUpTo(body, limitBytes)
    // A copy that fails on its way has begun with a 200. Source: Amazon S3 API Reference, CopyObject.
    const failed =
      request.method === 'PUT' && bytes.byteLength > 0 ? parseS3Error(new TextDecoder().decode(bytes)) : undefined
    if (failed !== undefined) throw new S3Refusal(500, failed.code, failed.message)
    return { header, bytes }
  }
}

async function readUpTo(body: Dispatcher.ResponseData['body'], limitBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = []
  let sizeBytes = 0
  for await (const part of body as AsyncIterable<Uint8Array>) {
    sizeBytes += part.byteLength
    // Leaving the loop ends the stream.
    if (sizeBytes > limitBytes) throw new AnswerTooLarge(`more than ${limitBytes} bytes`)
    parts.push(part)
  }
  return new Uint8Array(Buffer.concat(parts, sizeBytes))
}

/** What an error says; empty where that broke off, or is no answer to read. */
async function textOf({ method }: S3Request, body: Dispatcher.ResponseData['body']): Promise<string> {
  if (method === 'HEAD') {
    await body.dump()
    return ''
  }
  return new TextDecoder().decode(await readUpTo(body, errorLimitBytes).catch(() => new Uint8Array()))
}

/** An answer to HEAD has no body, and so no code. */
function refusal(status: number, text: string): S3Refusal {
  const said = text === '' ? undefined : parseS3Error(text)
  const code = said?.code ?? (status === 404 ? 'NotFound' : `Http${status}`)
  return new S3Refusal(status, code, said?.message ?? text)
}

function sha256(body: Uint8Array = new Uint8Array()): string {
  return createHash('sha256').update(body).digest('hex')
}
