// What a handler answers, before it becomes a Response.

/**
 * Headers are a plain record, each name in one spelling only: the frame adds its own to it, and Node's adapter writes a
 * record as it stands, but would have to take a Headers object apart again, which costs as much as all else in a small
 * answer.
 */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null
}

/** An answer whose body is still to be read when it begins, so that it can break off afterwards. */
export interface StreamedAnswer extends Answer {
  readonly body: ReadableStream<Uint8Array>
}

const streamed = new WeakMap<Response, StreamedAnswer>()

export function toResponse(answer: Answer): Response {
  const { status, headers, body } = answer
  const response = new Response(body, { status, headers })
  if (body instanceof ReadableStream) streamed.set(response, { status, headers, body })
  return response
}

/**
 * What a Response with a stream was made of; undefined where it has its bytes, or none. For who writes answers to
 * connections, and would have to take the Response apart to know. Where the runtime does that itself, nobody asks.
 */
export function streamedAnswer(response: Response): StreamedAnswer | undefined {
  return streamed.get(response)
}

/** The same answer with more headers. */
export function withHeaders(answer: Answer, headers: Readonly<Record<string, string>>): Answer {
  return { ...answer, headers: { ...answer.headers, ...headers } }
}
