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

export function toResponse({ status, headers, body }: Answer): Response {
  return new Response(body, { status, headers })
}

/** The same answer with more headers. */
export function withHeaders(answer: Answer, headers: Readonly<Record<string, string>>): Answer {
  return { ...answer, headers: { ...answer.headers, ...headers } }
}
