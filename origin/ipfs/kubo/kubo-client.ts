// Calls of Kubo's RPC: each with a deadline and a signal, whatever the node does, and with errors that say what Kubo said.
//
// The library sends with Node's fetch, which keeps connections open; `agent` and `timeout` of its own options do nothing
// there, so time limits are set here.

import { type KuboRPCClient, create } from 'kubo-rpc-client'
import type { Wait } from '../../../shared/ports/bucket.ts'
import type { Clock } from '../../../shared/ports/clock.ts'
import { type Deadline, deadline } from '../../../shared/concurrency/deadline.ts'
import { orAborted } from '../../../shared/concurrency/or-aborted.ts'
import { UpstreamError } from '../../../shared/protocol/errors.ts'

export interface KuboClientDeps {
  /**
   * Of the RPC, with or without `/api/v0`. A user and password in it are for a proxy in front of the RPC; they are sent
   * as basic authentication, and are in no message.
   */
  readonly url: string
  /** Milliseconds until a call counts as hanging: for all of a short one, for each step of a long one. */
  readonly timeoutMs: number
  readonly clock: Clock
}

export interface KuboClient {
  readonly rpc: KuboRPCClient
  /** Of the RPC, `/api/v0` included, for calls that are made without the library; no credentials are in it. */
  readonly address: string
  /** That every call has to send. */
  readonly headers: Readonly<Record<string, string>>
  readonly timeoutMs: number

  /**
   * Runs one call. Rejects with UpstreamError('ipfs') where it fails or its time is over, and with the signal's reason.
   * An UpstreamError of the work itself (a bucket that is read meanwhile) goes on as it is.
   *
   * @param what names the call for the operator, e.g. `pin/add <cid>`
   * @param work must hand on the deadline's signal; one that is long extends the deadline as it moves
   * @param limitMs the client's own limit by default
   */
  call<Result>(what: string, wait: Wait, work: (limit: Deadline) => Promise<Result>, limitMs?: number): Promise<Result>
}

/** Throws where the URL is none of HTTP; the message does not repeat it. */
export function createKuboClient({ url, timeoutMs, clock }: KuboClientDeps): KuboClient {
  const { address, headers } = parseRpcUrl(url)
  return {
    rpc: create({ url: address, headers }),
    address,
    headers,
    timeoutMs,
    async call(what, wait, work, limitMs = timeoutMs) {
      wait.signal.throwIfAborted()
      const tooLate = () => new UpstreamError('ipfs', `${what}: nothing came from Kubo for ${limitMs} ms`)
      const limit = deadline(clock, limitMs, wait.signal, tooLate)
      try {
        return await orAborted(limit.signal, work(limit))
      } catch (error) {
        limit.signal.throwIfAborted()
        throw error instanceof UpstreamError
          ? error
          : new UpstreamError('ipfs', `${what}: ${explain(error)}`, { cause: error })
      } finally {
        limit.clear()
      }
    },
  }
}

/** Kubo refused a call that was made without the library, whose own error is an `HTTPError`. */
export class KuboRefusal extends Error {}

/** What Kubo itself said in refusing a call; undefined for any other error. */
export function kuboAnswer(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  return error instanceof KuboRefusal || error.name === 'HTTPError' || error.name === 'TimeoutError'
    ? error.message
    : undefined
}

/** Kubo looked where it was told to, and a block was not there; of several at once it does not say which. */
export function saysMissing(answer: string): boolean {
  return ['could not find', 'not found locally', 'failed to fetch all nodes'].some((words) => answer.includes(words))
}

function parseRpcUrl(text: string): { address: string; headers: Record<string, string> } {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') throw new Error("the URL of Kubo's RPC is no HTTP URL")
  const path = url.pathname.replace(/\/+$/, '')
  const address = `${url.origin}${path.endsWith('/api/v0') ? path : `${path}/api/v0`}`
  if (url.username === '' && url.password === '') return { address, headers: {} }
  const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
  return { address, headers: { Authorization: `Basic ${Buffer.from(credentials).toString('base64')}` } }
}

/** A proxy may answer with a whole page. */
const longestExplanation = 300

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // Fetch says only that it failed; why is in its cause.
  const root = error.cause instanceof Error ? error.cause : error
  const code = 'code' in root && typeof root.code === 'string' ? root.code : undefined
  const status = 'response' in error && error.response instanceof Response ? `HTTP ${error.response.status}` : undefined
  return [status, root.message.slice(0, longestExplanation) || code].filter(Boolean).join(': ')
}
