// A proxy in front of Kubo's RPC that fails in a given way where it is told to.

import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

export const faults = {
  /** Takes the request, and never answers. */
  silent: (incoming) => void incoming.resume(),
  /** Stops reading after a mebibyte. */
  'stops reading': (incoming) => {
    let taken = 0
    incoming.on('data', (bytes: Buffer) => {
      taken += bytes.byteLength
      if (taken > 1024 * 1024) incoming.pause()
    })
  },
  /** Begins an answer, and stops. */
  'half an answer': (incoming, outgoing) => {
    incoming.resume()
    outgoing.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': '1000' })
    outgoing.write('{"Na')
  },
  'reset at once': (incoming) => void incoming.socket.resetAndDestroy(),
  'reset in the answer': (incoming, outgoing) => {
    incoming.resume()
    outgoing.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': '1000' })
    outgoing.write('{"Na', () => incoming.socket.resetAndDestroy())
  },
  refuses: (incoming, outgoing) => {
    incoming.resume()
    outgoing.writeHead(500, { 'Content-Type': 'application/json' })
    outgoing.end('{"Message":"the disk is full","Code":0,"Type":"error"}')
  },
  'answers for a proxy': (incoming, outgoing) => {
    incoming.resume()
    outgoing.writeHead(502, { 'Content-Type': 'text/html' }).end('<html>nobody is there</html>')
  },
} as const satisfies Record<string, (incoming: IncomingMessage, outgoing: ServerResponse) => void>

export type Fault = keyof typeof faults

export interface FaultyProxy {
  readonly url: string
  /** Path of every call so far, without `/api/v0/`. */
  readonly calls: readonly string[]
  /** Authorization of the last call. */
  readonly authorization: string | undefined
  /** From now on calls of this path fail so. Resolves at the first one. */
  failAt(path: string, fault: Fault): Promise<{ readonly closed: Promise<void> }>
  /** From now on everything is passed on again. */
  mend(): void
  /** Runs before each call of this path is passed on. */
  before(path: string, hook: () => Promise<void>): void
  /** What is answered to each call of this path. */
  answer(path: string, body: string): void
  stop(): Promise<void>
}

/** @param target undefined where nothing is to be passed on */
export async function startFaultyProxy(target?: string): Promise<FaultyProxy> {
  const handlers = new Map<string, (incoming: IncomingMessage, outgoing: ServerResponse) => void>()
  const hooks = new Map<string, () => Promise<void>>()
  const calls: string[] = []
  let authorization: string | undefined
  const sockets = new Set<Socket>()

  async function pass(incoming: IncomingMessage, outgoing: ServerResponse, hook = async () => {}): Promise<void> {
    await hook()
    const { url = '', method = '', headers } = incoming
    const onward = request(`${target}${url}`, { method, headers: { ...headers, host: new URL(target ?? '').host } })
    onward.on('response', (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(outgoing)
    })
    onward.on('error', () => outgoing.destroy())
    outgoing.on('close', () => onward.destroy())
    incoming.pipe(onward)
  }

  const server = createServer((incoming, outgoing) => {
    const path = new URL(incoming.url ?? '', 'http://proxy').pathname.replace('/api/v0/', '')
    calls.push(path)
    authorization = incoming.headers.authorization
    incoming.on('error', () => {})
    const handle = handlers.get(path)
    if (handle === undefined) void pass(incoming, outgoing, hooks.get(path))
    else handle(incoming, outgoing)
  })
  server.on('connection', (socket) => sockets.add(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    get authorization() {
      return authorization
    },
    failAt(path, fault) {
      const reached = Promise.withResolvers<{ closed: Promise<void> }>()
      handlers.set(path, (incoming, outgoing) => {
        const closed = new Promise<void>((done) => incoming.socket.once('close', () => done()))
        faults[fault](incoming, outgoing)
        reached.resolve({ closed })
      })
      return reached.promise
    },
    mend: () => handlers.clear(),
    before: (path, hook) => void hooks.set(path, hook),
    answer(path, body) {
      handlers.set(path, (incoming, outgoing) => {
        incoming.resume()
        incoming.on('end', () => outgoing.writeHead(200, { 'Content-Type': 'application/json' }).end(body))
      })
    },
    async stop() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
