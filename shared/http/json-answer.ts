// Answers that are a small JSON document.

import type { Answer } from './answer.ts'

/** A small JSON document; HEAD gets its length without it. */
export function jsonAnswer(method: string, document: unknown, headers: Record<string, string>, status = 200): Answer {
  const body = new TextEncoder().encode(JSON.stringify(document))
  return {
    status,
    headers: { 'Content-Type': 'application/json', 'Content-Length': String(body.byteLength), ...headers },
    body: method === 'HEAD' ? null : body,
  }
}

/** The answer to `/v2/`: this is a registry, and you may use it. */
export function versionAnswer(method: string): Answer {
  return jsonAnswer(method, {}, { 'Cache-Control': 'no-store' })
}
