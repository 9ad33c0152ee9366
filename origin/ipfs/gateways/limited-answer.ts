// One HTTP answer from a gateway that may be slow, endless or elsewhere: limits on time, and on where redirects lead.

import { BlockList, isIP } from 'node:net'
import type { Clock } from '../../../shared/ports/clock.ts'
import { deadline } from '../../../shared/concurrency/deadline.ts'
import type { Wait } from '../../../shared/ports/bucket.ts'
import type { Fetch } from '../../../shared/ports/fetch.ts'
import { orAborted } from '../../../shared/concurrency/or-aborted.ts'
import { UpstreamError } from '../../../shared/protocol/errors.ts'

export interface AnswerLimits {
  readonly fetch: Fetch
  readonly clock: Clock
  /** Milliseconds from the request to the first byte of the body, redirects and all. */
  readonly firstByteMs: number
  /** Milliseconds for every further 64 KiB, or for the end. Only while the body is read: a reader may take its time. */
  readonly idleMs: number
}

export interface LimitedAnswer {
  readonly status: number
  readonly contentType: string
  /** The next bytes; undefined at the end. Rejects with UpstreamError('ipfs') where they do not come, or come too slowly. */
  read(): Promise<Uint8Array | undefined>
  /** Whether it was given up because the time was over. */
  readonly stalled: boolean
  /** Reads past a short body, so that the connection can be used again; ends a longer one. */
  skip(): Promise<void>
  /** Ends the answer wherever it is. */
  cancel(): void
}

const redirectLimit = 3

/** A body that comes slower than this in each `idleMs` is one that stalls: it could go on for days. */
const progressBytes = 64 * 1024

const redirects = [301, 302, 303, 307, 308]

/** Sends a GET. Rejects with UpstreamError('ipfs') where no answer came, and with the signal's reason. */
export async function getLimited(
  url: URL,
  accept: string,
  { fetch, clock, firstByteMs, idleMs }: AnswerLimits,
  wait: Wait,
): Promise<LimitedAnswer> {
  const ending = new AbortController()
  const signal = AbortSignal.any([wait.signal, ending.signal])
  let leftMs = firstByteMs
  let stalled = false

  /** Waits for the gateway, out of the time that is left. */
  async function limited<Result>(work: Promise<Result>): Promise<Result> {
    const started = clock.now()
    const limit = deadline(clock, leftMs, signal, () => {
      stalled = true
      return new UpstreamError('ipfs', `${url.host} took too long`)
    })
    try {
      return await orAborted(limit.signal, work)
    } catch (error) {
      ending.abort()
      if (wait.signal.aborted) throw wait.signal.reason
      if (error instanceof UpstreamError) throw error
      throw new UpstreamError('ipfs', `${url.host} broke off`, { cause: error })
    } finally {
      limit.clear()
      leftMs = Math.max(leftMs - (clock.now() - started), 1)
    }
  }

  const response = await limited(followed(url, accept, fetch, signal))
  const body = response.body?.getReader()
  let bytesUntilProgress = 0

  async function read(): Promise<Uint8Array | undefined> {
    const { value, done } = (await (body && limited(body.read()))) ?? { value: undefined, done: true }
    if (done) return undefined
    bytesUntilProgress -= value.byteLength
    if (bytesUntilProgress <= 0) [bytesUntilProgress, leftMs] = [progressBytes, idleMs]
    return value
  }

  function cancel(): void {
    ending.abort()
    body?.cancel().catch(() => {}) // It was broken already.
  }

  return {
    status: response.status,
    contentType: response.headers.get('Content-Type') ?? '',
    get stalled() {
      return stalled
    },
    read,
    async skip() {
      let left = progressBytes
      for (let chunk = await read(); chunk !== undefined && left > 0; chunk = await read()) left -= chunk.byteLength
      cancel()
    },
    cancel,
  }
}

async function followed(url: URL, accept: string, fetch: Fetch, signal: AbortSignal): Promise<Response> {
  let at = url
  for (let followed = 0; ; followed += 1) {
    // No credentials are ever sent, so none can follow. Compressed, a small answer could become an endless one.
    const headers = { Accept: accept, 'Accept-Encoding': 'identity' }
    const response = await fetch(at, { method: 'GET', headers, redirect: 'manual', signal })
    if (!redirects.includes(response.status)) return response
    await response.body?.cancel()
    const target = new URL(response.headers.get('Location') ?? '', at)
    if (followed === redirectLimit) throw new UpstreamError('ipfs', `${url.host} redirects too often`)
    if (!mayLeadTo(at, target)) throw new UpstreamError('ipfs', `${url.host} redirects to ${target.origin}`)
    at = target
  }
}

/** A redirect stays on its host, or goes to another by TLS; it never goes from a public host into a private network. */
function mayLeadTo(from: URL, to: URL): boolean {
  if (to.username !== '' || to.password !== '') return false
  if (to.origin === from.origin) return true
  return to.protocol === 'https:' && (isPrivate(from.hostname) || !isPrivate(to.hostname))
}

const privateAddresses = new BlockList()
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
] as const)
  privateAddresses.addSubnet(network, bits, 'ipv4')
for (const [network, bits] of [
  ['::', 127],
  ['fc00::', 7],
  ['fe80::', 10],
] as const)
  privateAddresses.addSubnet(network, bits, 'ipv6')

/** Of a URL's host: names of the machine itself, and addresses that are not on the public internet. */
function isPrivate(hostname: string): boolean {
  const address = hostname.replace(/^\[(.*)\]$/, '$1')
  const version = isIP(address)
  if (version === 0) return /(^|\.)(localhost|local|internal)\.?$/.test(address)
  return privateAddresses.check(address, version === 4 ? 'ipv4' : 'ipv6')
}
