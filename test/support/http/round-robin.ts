// A balancer in front of several origins, as an operator would have one: each request goes to the next in turn, and to the
// one after where nobody listens. Where an origin dies that has a request, the client's connection breaks too.

import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface RoundRobin {
  readonly url: string
  /** Requests that were answered so far by one of those behind it. */
  readonly answered: () => number
  /** Requests that broke off because the one that had them died. */
  readonly broken: () => number
  /** For each upload that was finished, how many of those behind it had a part in it. */
  readonly finished: () => readonly number[]
  stop(): Promise<void>
}

/** @param targets URLs, those that are down among them */
export async function startRoundRobin(targets: readonly string[]): Promise<RoundRobin> {
  let [next, answered, broken] = [0, 0, 0]
  const uploads = new Map<string, Set<string>>()
  const finished: number[] = []

  function note(incoming: IncomingMessage, target: string, { statusCode: status, headers }: IncomingMessage): void {
    answered += 1
    const id = [incoming.url, headers.location]
      .map((url) => /\/blobs\/uploads\/([^/?]+)/.exec(url ?? '')?.[1])
      .find(Boolean)
    if (id === undefined) return
    const takers = uploads.get(id) ?? new Set()
    uploads.set(id, takers.add(target))
    if (incoming.method === 'PUT' && status === 201) finished.push(takers.size)
  }

  function pass(incoming: IncomingMessage, outgoing: ServerResponse, [target, ...others]: readonly string[]): void {
    if (target === undefined) return void outgoing.writeHead(503).end()
    const { hostname, port } = new URL(target)
    const { connection: _, ...headers } = incoming.headers
    const { method, url: path } = incoming
    // A connection of its own: one that is kept may be dead, and only a new one says so before anything was sent.
    const onward = request({ hostname, port, path, method, headers, agent: false })
    let connected = false
    onward.on('socket', (socket) =>
      socket.on('connect', () => {
        connected = true
        incoming.pipe(onward)
      }),
    )
    onward.on('response', (answer) => {
      note(incoming, target, answer)
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.on('error', () => outgoing.destroy())
      answer.pipe(outgoing)
    })
    onward.on('error', () => {
      if (!connected) return pass(incoming, outgoing, others)
      broken += 1
      outgoing.destroy()
    })
    incoming.on('error', () => onward.destroy())
    outgoing.on('close', () => onward.destroy())
  }

  const server = createServer((incoming, outgoing) => {
    const first = next++ % targets.length
    pass(incoming, outgoing, [...targets.slice(first), ...targets.slice(0, first)])
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    answered: () => answered,
    broken: () => broken,
    finished: () => finished,
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
