// `/metrics`, on a listener of its own.

import type { Metrics } from '../metrics/metrics.ts'

const plain = { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' }

export function metricsFetch(metrics: Pick<Metrics, 'text'>): (request: Request) => Promise<Response> {
  return async (request) => {
    if (new URL(request.url).pathname !== '/metrics')
      return new Response('only /metrics is here\n', { status: 404, headers: plain })
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return new Response('GET and HEAD only\n', { status: 405, headers: { ...plain, Allow: 'GET, HEAD' } })
    const { contentType, body } = await metrics.text()
    return new Response(request.method === 'HEAD' ? null : body, { headers: { ...plain, 'Content-Type': contentType } })
  }
}
