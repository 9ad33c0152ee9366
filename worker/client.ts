// Whose request it is, as Workers tell it.

import { clientInfo } from '../shared/http/client-info.ts'
import type { ClientInfo } from '../shared/ports/client-info.ts'
import { type IpNetwork, parseNetwork } from '../shared/protocol/ip-address.ts'
import type { WorkerConfig } from './config.ts'

/**
 * On Cloudflare the address is in a header, which it sets whatever the client sent. In a workerd of one's own nobody does,
 * so there the header is the client's word, and workerd says itself who is at the other end.
 */
export function clientOf(request: Request, trusted: readonly IpNetwork[]): ClientInfo {
  const { clientIp } = (request.cf ?? {}) as { readonly clientIp?: string }
  return clientInfo(request, clientIp ?? request.headers.get('CF-Connecting-IP') ?? undefined, trusted)
}

/** Proxies in front of Cloudflare, or of a workerd of one's own. */
export function trustedProxies({ TRUSTED_PROXIES: texts = [] }: WorkerConfig): readonly IpNetwork[] {
  return texts.map(parseNetwork).filter((network) => network !== undefined)
}
