// The one place where a failure becomes an answer.

import { OciError, UpstreamError } from '../protocol/errors.ts'
import type { Answer } from './answer.ts'

/** Seconds a client is asked to wait when a dependency failed. */
export const retryAfterSeconds = 5

/**
 * The answer to a request that failed, in the OCI error form (distribution-spec 1.1, "Error Codes"). That list of codes is
 * for 4xx and has none for a server's own failure, so 5xx carry the two that CNCF Distribution uses: UNAVAILABLE, UNKNOWN.
 */
export function errorAnswer(error: unknown, method: string): Answer {
  if (error instanceof OciError) {
    return write(method, error.status, error.code, error.summary, error.detail, error.headers)
  }
  if (error instanceof UpstreamError) {
    const detail = `the ${error.source} failed or did not answer in time; try again`
    return write(method, 503, 'UNAVAILABLE', 'service unavailable', detail, {
      'Retry-After': String(retryAfterSeconds),
    })
  }
  return write(
    method,
    500,
    'UNKNOWN',
    'unknown error',
    'a fault of this registry; its log has more under the request id',
    {},
  )
}

function write(
  method: string,
  status: number,
  code: string,
  message: string,
  detail: string,
  headers: Readonly<Record<string, string>>,
): Answer {
  const body = new TextEncoder().encode(JSON.stringify({ errors: [{ code, message, detail }] }))
  return {
    status,
    body: method === 'HEAD' ? null : body,
    headers: {
      'Content-Type': 'application/json',
      'Content-Length': String(body.byteLength),
      // A cache that keeps a refusal would go on refusing what has been pushed meanwhile.
      'Cache-Control': 'no-store',
      ...headers,
    },
  }
}
