// Answers that are a small JSON document.

/** A small JSON document; HEAD gets its length without it. */
export function jsonResponse(method: string, document: unknown, headers: Record<string, string>): Response {
  const body = new TextEncoder().encode(JSON.stringify(document))
  return new Response(method === 'HEAD' ? null : body, {
    headers: { 'Content-Type': 'application/json', 'Content-Length': String(body.byteLength), ...headers },
  })
}

/** The answer to `/v2/`: this is a registry, and you may use it. */
export function versionResponse(method: string): Response {
  return jsonResponse(method, {}, { 'Cache-Control': 'no-store' })
}
