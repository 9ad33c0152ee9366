// Who sent a request: the other end of the connection or, where that is a proxy that is trusted, whom it names. What
// anybody else says in such headers is made up.

import type { ClientInfo } from '../ports/client-info.ts'
import { canonicalAddress, type IpNetwork, isInNetworks } from '../protocol/ip-address.ts'

/**
 * @param peer address of the other end, perhaps with a port; undefined where it is not known
 * @param trusted the proxies whose `X-Forwarded-…` count
 */
export function clientInfo(request: Request, peer: string | undefined, trusted: readonly IpNetwork[]): ClientInfo {
  const address = peer === undefined ? undefined : canonicalAddress(peer)
  const direct: ClientInfo = { address, scheme: schemeOf(request.url), host: hostOf(request.url) }
  if (address === undefined || !isInNetworks(trusted, address)) return direct
  const { headers } = request
  const [proto, host] = [lastOf(headers.get('X-Forwarded-Proto')), lastOf(headers.get('X-Forwarded-Host'))]
  return {
    address: forwardedFor(headers.get('X-Forwarded-For'), address, trusted),
    scheme: proto === 'http' || proto === 'https' ? proto : direct.scheme,
    host: host !== undefined && isHost(host) ? host : direct.host,
  }
}

/**
 * Each proxy adds at the end whom it was asked by, so the last that is no proxy of ours is the client; what stands
 * before it the client may have written. Where something is no address, whoever passed it on is the client.
 */
function forwardedFor(header: string | null, peer: string, trusted: readonly IpNetwork[]): string {
  let client = peer
  for (const text of (header ?? '').split(',').toReversed()) {
    const address = canonicalAddress(text.trim())
    if (address === undefined) return client
    client = address
    if (!isInNetworks(trusted, address)) return client
  }
  return client
}

/** Of several, the one that the proxy next to us wrote. */
function lastOf(header: string | null): string | undefined {
  return header?.split(',').at(-1)?.trim().toLowerCase()
}

function isHost(text: string): boolean {
  return /^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/.test(text) && URL.canParse(`http://${text}/`)
}

function schemeOf(url: string): 'http' | 'https' {
  return url.startsWith('https:') ? 'https' : 'http'
}

/** Cut out, since every request pays for it. */
function hostOf(url: string): string {
  const start = url.indexOf('://') + 3
  const end = url.indexOf('/', start)
  return url.slice(start, end === -1 ? undefined : end)
}
