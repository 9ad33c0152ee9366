// One file to a call of Kubo's RPC, streamed.
//
// Not by the RPC library, whose way through Node's fetch costs the origin three times the CPU for each byte; nor can one
// tell with it when a buffer is free again.

import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import * as v from 'valibot'
import type { Wait } from '../../../shared/ports/bucket.ts'
import type { Deadline } from '../../../shared/concurrency/deadline.ts'
import { orAborted } from '../../../shared/concurrency/or-aborted.ts'
import { UpstreamError } from '../../../shared/protocol/errors.ts'
import { parseJson } from '../../../shared/protocol/json.ts'
import { type KuboClient, KuboRefusal } from './kubo-client.ts'

/** A file on its way into Kubo. Whatever ends the call rejects whatever is waited for. */
export interface KuboUpload {
  /** The bytes may be reused once it resolves. */
  write(bytes: Uint8Array): Promise<void>
  /** What the file is made of is awaited only as long as the call goes on. */
  unlessEnded<Result>(next: Promise<Result>): Promise<Result>
  /** That was all of it. Resolves with Kubo's answer. */
  end(): Promise<Uint8Array>
  abort(): void
}

const boundary = 'mirrorball-4f1c7c9d'
const opening = `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="file"\r\nContent-Type: application/octet-stream\r\n\r\n`
const closing = `\r\n--${boundary}--\r\n`

/**
 * @param command with its options, e.g. `dag/import?pin-roots=false`
 * @param what names the call for the operator
 * @param limitMs of the call, and from each write on again; the client's own by default
 */
export function startUpload(
  kubo: KuboClient,
  command: string,
  { what, limitMs }: { readonly what: string; readonly limitMs?: number },
  wait: Wait,
): KuboUpload {
  wait.signal.throwIfAborted()
  const url = new URL(`${kubo.address}/${command}`)
  // A connection of its own: one that was kept may be closed by Kubo in just this moment.
  const request = (url.protocol === 'https:' ? requestHttps : requestHttp)(url, {
    method: 'POST',
    agent: false,
    headers: { ...kubo.headers, 'Content-Type': `multipart/form-data; boundary=${boundary}` },
  })
  let moved = () => {}
  const work = (limit: Deadline) => {
    moved = () => limit.extend()
    return answerTo(request, limit.signal)
  }
  const done = kubo.call(what, wait, work, limitMs)
  const ended = new AbortController()
  done.then(
    () => ended.abort(new UpstreamError('ipfs', `${what}: Kubo answered before the end of the file`)),
    (error: unknown) => {
      request.destroy()
      ended.abort(error)
    },
  )
  request.write(opening)
  const unlessEnded = <Result>(next: Promise<Result>) => orAborted(ended.signal, next)
  return {
    unlessEnded,
    async write(bytes) {
      await unlessEnded(new Promise<void>((written) => request.write(bytes, () => written())))
      moved()
    },
    end() {
      request.end(closing)
      return done
    },
    abort: () => void request.destroy(),
  }
}

/** Bytes of an answer. */
const answerLimitBytes = 64 * 1024

/** The answer's body. Rejects where it is no 200, with what Kubo says instead. */
async function answerTo(request: ClientRequest, signal: AbortSignal): Promise<Uint8Array> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve).on('error', reject)
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })
  const chunks: Uint8Array[] = []
  let sizeBytes = 0
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    chunks.push(chunk)
    if ((sizeBytes += chunk.byteLength) > answerLimitBytes) throw new Error('Kubo answers without end')
  }
  const body = Buffer.concat(chunks)
  // An error that comes after the headers is in a trailer.
  const late = response.trailers['x-stream-error']
  if (response.statusCode === 200 && late === undefined) return body
  const refusal = v.safeParse(refusalSchema, parseJson(body))
  throw new KuboRefusal(
    `HTTP ${response.statusCode}: ${late ?? (refusal.success ? refusal.output.Message : body.toString())}`,
  )
}

const refusalSchema = v.object({ Message: v.string() })
