// How often a client may ask.

import type { ClientInfo } from '../ports/client-info.ts'
import type { Clock } from '../ports/clock.ts'
import { OciError } from '../protocol/errors.ts'
import { customerNetwork, isLoopbackAddress } from '../protocol/ip-address.ts'
import { createMemoryRateLimiter } from './memory-rate-limiter.ts'

/** Why a client may not make another request now; undefined where it may. */
export type RequestLimit = (client: ClientInfo) => OciError | undefined

/** Of a client on another machine: many images of forty layers at once, and again, are far below it. */
const defaultRequests = 6000

/** Of a client on another machine: a search may last half a minute, and all together have 64 at a time. */
const defaultSearches = 20

/** @param perMinute 0: no limit. Undefined: a generous one, and none for clients on this machine */
export function createRequestLimit(perMinute: number | undefined, clock: Clock): RequestLimit {
  return createClientLimit({ perMinute, unlessSet: defaultRequests, what: 'requests', clock }).take
}

/** Of images that were never seen here. @param perMinute as with `createRequestLimit` */
export function createSearchLimit(perMinute: number | undefined, clock: Clock): RequestLimit {
  return createClientLimit({ perMinute, unlessSet: defaultSearches, what: 'searches on IPFS', clock }).take
}

/** How often a client may show a password or a token that is wrong. Each counts while it is looked at. */
export interface LoginLimit {
  readonly take: RequestLimit
  /** It was right, or nobody could tell. */
  giveBack(client: ClientInfo): void
}

/** Of a client on another machine: many may sign in at once from behind one address. */
const defaultLogins = 60

/** @param perMinute as with `createRequestLimit` */
export function createLoginLimit(perMinute: number | undefined, clock: Clock): LoginLimit {
  return createClientLimit({ perMinute, unlessSet: defaultLogins, what: 'wrong logins', clock })
}

function createClientLimit(deps: {
  readonly perMinute: number | undefined
  readonly unlessSet: number
  readonly what: string
  readonly clock: Clock
}): LoginLimit {
  const { perMinute, unlessSet, what, clock } = deps
  if (perMinute === 0) return { take: () => undefined, giveBack() {} }
  const most = perMinute ?? unlessSet
  const limiter = createMemoryRateLimiter({ clock, perMinute: most })
  const isFree = ({ address }: ClientInfo) =>
    address === undefined || (perMinute === undefined && isLoopbackAddress(address))
  return {
    take(client) {
      if (isFree(client)) return undefined
      const taken = limiter.take(clientKey(client))
      return taken.allowed ? undefined : tooManyRequests(`at most ${most} ${what} a minute`, taken.retryAfterSeconds)
    },
    giveBack(client) {
      if (!isFree(client)) limiter.giveBack(clientKey(client))
    },
  }
}

/** By what a client is counted: its IPv4 address, or the /64 of its IPv6 address. */
export function clientKey({ address }: ClientInfo): string {
  return address === undefined ? 'unknown' : customerNetwork(address)
}

/** A 429. @param what is allowed, e.g. `at most 20 logins a minute` */
export function tooManyRequests(what: string, retryAfterSeconds: number): OciError {
  return new OciError('TOOMANYREQUESTS', `a client may make ${what}; try again in ${retryAfterSeconds} s`, {
    headers: { 'Retry-After': String(retryAfterSeconds) },
  })
}
