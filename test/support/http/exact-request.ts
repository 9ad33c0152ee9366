// Requests whose path goes out as it is written: fetch would resolve `..` and decode what it likes.

import { Agent, request } from 'node:http'

export interface ExactRequest {
  readonly method: string
  /** Path and query. */
  readonly target: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | undefined
}

export interface ExactAnswer {
  readonly status: number
  readonly header: (name: string) => string | undefined
  readonly body: string
}

export interface ExactClient {
  send(base: string, request: ExactRequest): Promise<ExactAnswer>
  /** Closes its connections. */
  close(): void
}

/** @param connections to one host at once, at most; further requests wait */
export function createExactClient(connections: number): ExactClient {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  return {
    send(base, { method, target, headers = {}, body }) {
      const { hostname, port } = new URL(base)
      const length = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) }
      return new Promise((done, fail) => {
        const sent = request({ agent, hostname, port, method, path: target, headers: { ...headers, ...length } })
        sent.once('error', fail)
        sent.once('response', (answer) => {
          const chunks: Buffer[] = []
          answer.on('data', (chunk: Buffer) => chunks.push(chunk))
          answer.once('error', fail)
          answer.once('end', () =>
            done({
              status: answer.statusCode ?? 0,
              header: (name) => answer.headersDistinct[name.toLowerCase()]?.join('\n'),
              body: Buffer.concat(chunks).toString(),
            }),
          )
        })
        sent.end(body)
      })
    },
    close: () => agent.destroy(),
  }
}
