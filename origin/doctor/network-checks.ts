// What can be said of addresses before anybody is asked for anything: TLS, and the time there.

import { connect, type PeerCertificate, type TLSSocket } from 'node:tls'
import type { Wait } from '../../shared/ports/bucket.ts'
import type { Clock } from '../../shared/ports/clock.ts'
import { isLoopbackUrl } from '../../shared/protocol/ip-address.ts'
import type { Ask } from './ask.ts'
import { type Check, type Finding, reasonOf } from './check.ts'

/** An address of the deployment. */
export interface Place {
  /** For people: `edge`, `origin`. */
  readonly name: string
  readonly url: string
  /** Where its certificate is one of ours, which need not name the address: the trust in it has to be given. */
  readonly ask: Ask
  /** Whether the certificate counts whatever name it has. */
  readonly isOwn?: boolean
}

/** Milliseconds by which clocks may differ: as tokens allow it. */
const mostSkewMs = 30_000

/** Days before a certificate's end at which somebody should know. */
const leastDays = 14

const dayMs = 24 * 3600_000

const renew = 'renew the certificate, for this name and with the whole chain (docs/operations.md, TLS)'

export function networkChecks(places: readonly Place[], clock: Clock): readonly Check[] {
  return [
    {
      name: 'tls',
      why: 'clients refuse a certificate that is not good, and passwords and tokens that travel without TLS can be read on the way',
      mend: renew,
      async run(wait) {
        const faults: string[] = []
        const seen: string[] = []
        const advice = new Set<string>()
        for (const { url, names, isOwn } of byHost(places)) {
          const finding = await tlsOf(url, isOwn, clock, wait)
          if ('fault' in finding) {
            faults.push(`${names}: ${finding.fault}`)
            advice.add(finding.mend ?? renew)
          } else if ('ok' in finding) {
            seen.push(`${url}: ${finding.ok}`)
          }
        }
        if (faults.length > 0) return { fault: faults.join('; '), mend: [...advice].join('; ') }
        return seen.length === 0 ? { skipped: 'nothing answers' } : { ok: seen.join('; ') }
      },
    },
    {
      name: 'clock',
      why: 'signed URLs, tokens and the word of edges hold for a time: clocks that differ make them worthless',
      mend: 'set the clock there by NTP; where all of them differ alike it is the clock of this machine',
      follows: ['tls'],
      async run(wait) {
        const skews = await Promise.all(
          places.map(async (place) => [place.name, await skewOf(place, clock, wait)] as const),
        )
        const told = skews.flatMap(([name, skew]) => (skew === undefined ? [] : [{ name, skew }]))
        if (told.length === 0) return { skipped: 'no address says what time it is' }
        const wrong = told.filter(({ skew }) => Math.abs(skew) > mostSkewMs)
        if (wrong.length === 0) return { ok: told.map(({ name }) => name).join(', ') }
        return { fault: wrong.map(({ name, skew }) => `the clock of ${name} is ${inWords(skew)}`).join('; ') }
      },
    },
  ]
}

function byHost(places: readonly Place[]) {
  const hosts = Map.groupBy(places, ({ url }) => new URL(url).origin)
  return [...hosts].map(([url, here]) => ({
    url,
    names: `${url} (${here.map(({ name }) => name).join(', ')})`,
    isOwn: here.some(({ isOwn }) => isOwn === true),
  }))
}

/** What nobody answers at is for other checks to say. */
async function tlsOf(url: string, isOwn: boolean, clock: Clock, wait: Wait): Promise<Finding> {
  if (!url.startsWith('https:')) {
    if (isLoopbackUrl(url)) return { ok: 'none needed on this machine' }
    return {
      fault: 'plain HTTP, which others on the way can read and change',
      mend: 'set http.tls_cert and http.tls_key, or put a proxy with TLS in front, and name its https address',
    }
  }
  let socket: TLSSocket
  try {
    socket = await handshake(url, wait)
  } catch (error) {
    wait.signal.throwIfAborted()
    return { skipped: reasonOf(error) }
  }
  const { authorized, authorizationError } = socket
  const certificate: PeerCertificate = socket.getPeerCertificate()
  const protocol = socket.getProtocol() ?? ''
  socket.destroy()
  if (!authorized && !isOwn) return { fault: `the certificate is not good: ${String(authorizationError)}` }
  const days = Math.floor((Date.parse(certificate.valid_to) - clock.now()) / dayMs)
  if (days < leastDays) return { fault: `the certificate ends in ${days} days (${certificate.valid_to})` }
  const speaksOld = await handshake(url, wait, old).then(
    (socket) => socket.destroy() !== undefined,
    () => false,
  )
  if (speaksOld)
    return { fault: 'it speaks TLS 1.1 or older', mend: 'allow TLS 1.2 and 1.3 alone at the proxy that ends TLS' }
  return { ok: `${protocol}, ${days} days left` }
}

/** What a browser has not spoken for years; OpenSSL offers it at its lowest level alone. */
const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const

/** A connection whose certificate is yet to be judged. */
async function handshake(url: string, { signal }: Wait, options: object = {}): Promise<TLSSocket> {
  const { hostname, port } = new URL(url)
  const host = hostname.replace(/^\[|\]$/g, '')
  const done = Promise.withResolvers<void>()
  const socket = connect({
    host,
    port: port === '' ? 443 : Number(port),
    // A server's name is sent where it is one.
    ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
    rejectUnauthorized: false,
    ...options,
  })
  const stop = () => socket.destroy(signal.reason as Error)
  signal.addEventListener('abort', stop, { once: true })
  socket.once('secureConnect', done.resolve)
  socket.once('error', done.reject)
  try {
    await done.promise
    return socket
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/** Milliseconds by which a clock is ahead of ours; undefined where it does not say. */
async function skewOf({ url, ask }: Place, clock: Clock, wait: Wait): Promise<number | undefined> {
  try {
    const began = clock.now()
    const date = (await ask(url, wait, { method: 'HEAD' })).headers.get('Date')
    const middle = (began + clock.now()) / 2
    return date === null || Number.isNaN(Date.parse(date)) ? undefined : Date.parse(date) - middle
  } catch {
    wait.signal.throwIfAborted()
    return undefined // Who does not answer is for other checks to say.
  }
}

function inWords(skewMs: number): string {
  const seconds = Math.round(Math.abs(skewMs) / 1000)
  return `${seconds} s ${skewMs > 0 ? 'ahead of' : 'behind'} this machine’s`
}
