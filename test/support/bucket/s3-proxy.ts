// A proxy in front of an S3 server that fails in a given way where it is told to. It passes the Host on as it came, which
// is signed.

import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { S3Access } from '../../../origin/bucket/s3-connection.ts'

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** What is done to a request. `pass` asks the server. */
export type S3Fault = (outgoing: ServerResponse, pass: () => Promise<Answer>) => void | Promise<void>

/** @param said goes into the message */
export const refuses =
  (status: number, code: string, said = 'no'): S3Fault =>
  (outgoing) => {
    const xml = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${said}</Message><AWSAccessKeyId>${said}</AWSAccessKeyId></Error>`
    outgoing.writeHead(status, { 'Content-Type': 'application/xml' }).end(xml)
  }

export const answersForAProxy: S3Fault = (outgoing) => {
  outgoing.writeHead(502, { 'Content-Type': 'text/html' }).end('<html>nobody is there</html>')
}

/** Says that it is done, and does nothing. */
export const succeeds: S3Fault = (outgoing) => {
  outgoing.writeHead(200, { ETag: '"done"' }).end()
}

/** 200, and then something else than S3 sends. */
export const answersNonsense: S3Fault = (outgoing) => {
  outgoing.writeHead(200, { 'Content-Type': 'text/html' }).end('<html>welcome to this network')
}

/** Takes the request, and never answers. */
export const silent: S3Fault = () => {}

/** The server does what was asked, and its answer gets lost. */
export const losesTheAnswer: S3Fault = async (outgoing, pass) => {
  await pass()
  outgoing.destroy()
}

/** The connection breaks in the middle of the answer's body. */
export const cuts: S3Fault = async (outgoing, pass) => {
  const { status, headers, body } = await pass()
  const whole = { ...headers, 'content-length': String(body.byteLength) }
  delete whole['transfer-encoding']
  outgoing.writeHead(status, whole)
  outgoing.write(body.subarray(0, Math.floor(body.byteLength / 2)), () => outgoing.destroy())
}

/** The answer's body stands still in its middle. */
export const stallsInTheBody: S3Fault = async (outgoing, pass) => {
  const { status, headers, body } = await pass()
  outgoing.writeHead(status, headers)
  outgoing.write(body.subarray(0, Math.floor(body.byteLength / 2)))
}

/** Asks the server only once, and gives the same answer ever after. */
export function stale(): S3Fault {
  let first: Promise<Answer> | undefined
  return async (outgoing, pass) => {
    first ??= pass()
    send(outgoing, await first)
  }
}

export interface S3Proxy {
  readonly access: S3Access
  /** Method and URL of every request so far, as `PUT /bucket/key?query`, each with the status that the server gave. */
  readonly calls: readonly string[]
  /** What the signature of the last request says of its body. */
  readonly bodyHash: string | undefined
  /** From now on requests that match fail so, the first `times` of them. */
  fail(call: RegExp, fault: S3Fault, times?: number): void
  /** Runs once, before the next request that matches is passed on. */
  before(call: RegExp, hook: () => Promise<unknown>): void
  /** All is well from now on: no faults, and no hooks. */
  mend(): void
  /** Resolves once no hook runs any more, which it may do after what it was for has failed. */
  settled(): Promise<unknown>
  stop(): Promise<void>
}

export async function startS3Proxy(target: S3Access): Promise<S3Proxy> {
  const { hostname, port, pathname } = new URL(target.endpoint)
  const calls: string[] = []
  let bodyHash: string | undefined
  let rules: { readonly call: RegExp; readonly fault: S3Fault; left: number }[] = []
  const running: Promise<unknown>[] = []
  let hooks: { readonly call: RegExp; readonly hook: () => Promise<unknown> }[] = []

  async function pass(incoming: IncomingMessage, call: string, body: Promise<Buffer>): Promise<Answer> {
    const { method, url: path, headers } = incoming
    const hook = hooks.find((each) => each.call.test(call))
    hooks = hooks.filter((each) => each !== hook)
    if (hook !== undefined) {
      const run = hook.hook()
      running.push(run)
      await run
    }
    const onward = request({ hostname, port, path, method, headers })
    onward.end(await body)
    const [answer] = (await once(onward, 'response')) as [IncomingMessage]
    const status = answer.statusCode ?? 500
    calls.push(`${call} ${status}`)
    return { status, headers: answer.headers, body: await collect(answer) }
  }

  async function handle(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    bodyHash = String(incoming.headers['x-amz-content-sha256'])
    const call = `${incoming.method} ${incoming.url?.slice(pathname === '/' ? 0 : pathname.length)}`
    const rule = rules.find((each) => each.left > 0 && each.call.test(call))
    // Read at once: a fault may answer, or not, before all of it came.
    const body = collect(incoming)
    body.catch(() => {})
    if (rule === undefined) return send(outgoing, await pass(incoming, call, body))
    rule.left -= 1
    calls.push(`${call} fault`)
    await rule.fault(outgoing, () => pass(incoming, call, body))
  }

  const server = createServer((incoming, outgoing) => {
    handle(incoming, outgoing).catch(() => outgoing.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    access: { ...target, endpoint: url + (pathname === '/' ? '' : pathname) },
    calls,
    get bodyHash() {
      return bodyHash
    },
    fail: (call, fault, times = Number.POSITIVE_INFINITY) => void rules.push({ call, fault, left: times }),
    before: (call, hook) => void hooks.push({ call, hook }),
    settled: () => Promise.allSettled(running),
    mend() {
      rules = []
      hooks = []
    },
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function send(outgoing: ServerResponse, { status, headers, body }: Answer): void {
  outgoing.writeHead(status, headers).end(body)
}

async function collect(incoming: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of incoming) parts.push(part as Buffer)
  return Buffer.concat(parts)
}
