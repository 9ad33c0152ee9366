// Hands a request on to the origin and its answer back, both as streams.

import { type EdgeWord, edgeWordHeader } from '../auth/edge-word.ts'
import type { Clock } from '../ports/clock.ts'
import { deadline } from '../concurrency/deadline.ts'
import type { ClientInfo } from '../ports/client-info.ts'
import type { Fetch } from '../ports/fetch.ts'
import { OciError, UpstreamError } from '../protocol/errors.ts'
import type { Answer } from '../http/answer.ts'

export interface OriginClient {
  /**
   * The origin's answer to this very request. Rejects with UpstreamError where there was none in time.
   * @param client of whom the origin is told; it believes an edge that has its key, or that it trusts as a proxy
   * @param headers of our own, besides those of the request
   */
  ask(
    request: Request,
    requestId: string,
    client?: ClientInfo,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answer>
}

/** Headers that speak of one connection only (RFC 9110 section 7.6.1); `Host` is the origin's own. */
const hopByHop = new Set([
  'connection',
  'host',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
])

/** By which proxies say whose request they pass on. */
const forwarding = [
  edgeWordHeader.toLowerCase(),
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-real-ip',
]

/**
 * The same bytes as another stream.
 * @param events.lengthBytes of the body, where it is known
 * @param events.onChunk hears of every chunk that passes
 * @param events.onBroken hears that the body broke, before anyone else does
 */
export type RelayBody = (
  body: ReadableStream<Uint8Array>,
  events: {
    readonly lengthBytes: number | undefined
    readonly onChunk: () => void
    readonly onBroken: (error: unknown) => void
  },
) => ReadableStream<Uint8Array>

/**
 * @param word by which the origin knows that it is an edge of its own that asks; without it, any client's might
 * @param relayBody as the runtime does it best
 * @param originUrl of the origin, without a path
 * @param timeoutMs longest time in milliseconds without a byte: of the request body, then until the answer begins
 */
export function createOriginClient(deps: {
  originUrl: string
  timeoutMs: number
  clock: Clock
  fetch: Fetch
  word?: EdgeWord | undefined
  relayBody?: RelayBody
}): OriginClient {
  const { timeoutMs, clock, word, relayBody = relayByStream } = deps
  const origin = new URL(deps.originUrl)
  return {
    async ask(request, requestId, client, own = {}) {
      const target = new URL(request.url)
      target.protocol = origin.protocol
      target.hostname = origin.hostname
      // Apart from the host: a `host` without a port would leave the edge's own in place.
      target.port = origin.port
      const headers = endToEnd(request.headers)
      for (const [name, value] of Object.entries(own)) headers.set(name, value)
      headers.set('X-Request-Id', requestId)
      // What the client wrote there would count as our word.
      for (const name of forwarding) headers.delete(name)
      if (client?.address !== undefined) {
        headers.set('X-Forwarded-For', client.address)
        headers.set('X-Forwarded-Proto', client.scheme)
        headers.set('X-Forwarded-Host', client.host)
        if (word !== undefined) headers.set(edgeWordHeader, await word.sign(client))
      }
      // fetch would undo a compression, but leave its headers and the length in place.
      headers.set('Accept-Encoding', 'identity')
      const limit = deadline(
        clock,
        timeoutMs,
        request.signal,
        () => new UpstreamError('origin', `nothing came for ${timeoutMs} ms`),
      )
      const broken = new AbortController()
      const body =
        request.body === null
          ? null
          : relayBody(request.body, {
              lengthBytes: lengthOf(request),
              onChunk: () => limit.extend(),
              onBroken: (error) => broken.abort(error),
            })
      try {
        const answer = await deps.fetch(target, {
          method: request.method,
          headers,
          body,
          redirect: 'manual',
          // workerd ends a body that breaks like one that is whole: the origin would take what arrived for all of it.
          signal: AbortSignal.any([limit.signal, broken.signal]),
          // Node's fetch wants to be told that the body is a stream.
          ...(body === null ? {} : { duplex: 'half' }),
        })
        // The body goes on as the runtime's own stream: one of ours would lose its length in workerd. An empty one does
        // not, or the listener on Node would give it a media type.
        const answerBody = answer.headers.get('Content-Length') === '0' ? null : answer.body
        // The origin always says who may keep what; something between it and us may not, and a cache would do as it likes.
        const answerHeaders = { 'Cache-Control': 'no-store', ...asRecord(endToEnd(answer.headers)) }
        return { status: answer.status, headers: answerHeaders, body: answerBody }
      } catch (error) {
        if (error instanceof UpstreamError) throw error
        if (broken.signal.aborted) throw new OciError('SIZE_INVALID', 'the body broke off')
        throw new UpstreamError('origin', 'no answer', { cause: error })
      } finally {
        limit.clear()
      }
    },
  }
}

function endToEnd(headers: Headers): Headers {
  const named = (headers.get('Connection') ?? '').split(',').map((name) => name.trim().toLowerCase())
  return new Headers([...headers].filter(([name]) => !hopByHop.has(name) && !named.includes(name)))
}

/** Names are written as the frame writes them, `content-length` as `Content-Length`, so that none is there twice. */
function asRecord(headers: Headers): Record<string, string> {
  const written = (name: string) => name.replace(/(?:^|-)[a-z]/g, (start) => start.toUpperCase())
  return Object.fromEntries([...headers].map(([name, value]) => [written(name), value]))
}

function lengthOf({ headers }: Request): number | undefined {
  const length = headers.get('Content-Length')
  return length === null ? undefined : Number(length)
}

const relayByStream: RelayBody = (body, { onChunk, onBroken }) => {
  const reader = body.getReader()
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await reader.read().catch((error: unknown) => {
          onBroken(error)
          throw error
        })
        if (done) {
          controller.close()
        } else {
          onChunk()
          controller.enqueue(value)
        }
      },
      // Of a body that had broken before, this fails, and nobody waits to hear of it.
      cancel: (reason) => reader.cancel(reason).catch(() => {}),
    },
    { highWaterMark: 0 },
  )
}
