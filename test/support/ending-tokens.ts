// A proxy in front of a registry with which access tokens end: after an answer that the test chooses, every token that was
// given before comes to the registry as one of the same claims that is expired.

import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { TokenSigner } from '../../shared/auth/token.ts'

/** An answer of the registry, before the client has it. */
export interface Answered {
  readonly method: string
  readonly path: string
  readonly status: number
}

export interface EndingTokens {
  /** HOST:PORT. */
  readonly host: string
  /**
   * Tokens end once, after the first answer of which `isLast` is true.
   *
   * @param isTold whether clients are told, in what they are given from now on, that each token is over already
   * @returns whether they have ended
   */
  readonly endAfter: (isLast: (answered: Answered) => boolean, isTold: boolean) => () => boolean
  readonly stop: () => Promise<void>
}

const hourMs = 3600_000

/** @param signer with the registry's own key, at a time so long ago that all that it signs is expired */
export async function startEndingTokens(target: string, signer: TokenSigner): Promise<EndingTokens> {
  const { hostname, port } = new URL(target)
  /** By the ones that they stand for. */
  const expired = new Map<string, string>()
  const given = new Set<string>()
  let isLast: ((answered: Answered) => boolean) | undefined
  let isTold = false

  async function end(): Promise<void> {
    for (const token of given) {
      const claims = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()
      const { sub: user, ...rest } = JSON.parse(claims) as Omit<Parameters<TokenSigner['access']>[0], 'user'> & {
        readonly sub: string
      }
      expired.set(token, await signer.access({ user, ...rest }, randomUUID()))
    }
    given.clear()
  }

  async function give(answer: IncomingMessage): Promise<string> {
    const document = JSON.parse(await text(answer)) as { readonly token: string; readonly issued_at: string }
    given.add(document.token)
    const issued = isTold ? new Date(Date.parse(document.issued_at) - hourMs).toISOString() : document.issued_at
    return JSON.stringify({ ...document, issued_at: issued })
  }

  const server = createServer((incoming, outgoing) => {
    const { url: path = '', method = '', headers } = incoming
    const token = expired.get(headers.authorization?.replace(/^Bearer /, '') ?? '')
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const onward = request({ hostname, port, path, method, headers: { ...headers, ...authorization } })
    const pass = async (answer: IncomingMessage) => {
      const status = answer.statusCode ?? 500
      if (isLast?.({ method, path, status }) === true) {
        isLast = undefined
        await end()
      }
      if (!path.startsWith('/token') || status !== 200) {
        answer.pipe(outgoing.writeHead(status, answer.headers))
        return
      }
      const { 'content-length': _, ...others } = answer.headers
      outgoing.writeHead(status, others).end(await give(answer))
    }
    onward.on('response', (answer) => {
      pass(answer).catch(() => outgoing.destroy())
    })
    onward.on('error', () => outgoing.destroy())
    incoming.on('error', () => {})
    outgoing.on('close', () => onward.destroy())
    incoming.pipe(onward)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    endAfter(last, told) {
      isLast = last
      isTold = told
      return () => isLast === undefined
    },
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
