// Who sent a request: what stands in its Authorization header, and what it is told where that is not enough.

import type { Wait } from '../ports/bucket.ts'
import type { ClientInfo } from '../ports/client-info.ts'
import { OciError } from '../protocol/errors.ts'
import { formatScope, type Scope } from '../protocol/scope.ts'
import { anonymousCaller, type Caller } from './caller.ts'
import type { TokenVerifier } from './token.ts'

/** Good for what everyone may do, so there is nothing in it to prove. */
export const anonymousToken = 'anonymous'

export interface Authentication {
  /** Name of the service, as challenges and tokens have it. */
  readonly service: string
  readonly tokens: TokenVerifier
}

/**
 * Who a request comes from; undefined where it says nothing of that.
 * @param scopes what a token must be for
 * @throws OciError UNAUTHORIZED with a challenge where what it says is not good
 */
export async function callerOf(
  auth: Authentication,
  request: Request,
  client: ClientInfo,
  scopes: readonly Scope[],
  wait: Wait,
): Promise<Caller | undefined> {
  const header = request.headers.get('Authorization')
  if (header === null) return undefined
  const [, token] = /^bearer +([^ ]+) *$/i.exec(header) ?? []
  if (token === undefined)
    throw unauthorized(auth, client, scopes, 'a token of the token service is wanted, as WWW-Authenticate says')
  if (token === anonymousToken) return anonymousCaller
  const caller = await auth.tokens.access(token, wait)
  if (caller === undefined)
    throw unauthorized(
      auth,
      client,
      scopes,
      'the token is expired, or none of this registry; sign in again',
      'invalid_token',
    )
  return caller
}

/**
 * A refusal that tells the client where to get the token that it needs.
 * Source: RFC 6750 section 3; CNCF Distribution, "Token Authentication Specification".
 * @param client whose token service is where it asked
 * @param scopes what the token must be for
 */
export function unauthorized(
  { service }: Authentication,
  { scheme, host }: ClientInfo,
  scopes: readonly Scope[],
  detail: string,
  error?: 'invalid_token' | 'insufficient_scope',
): OciError {
  const parts = [
    `realm="${new URL(`${scheme}://${host}/token`).href}"`,
    `service="${service}"`,
    // One parameter for all of them: clients take the last of several.
    ...(scopes.length === 0 ? [] : [`scope="${scopes.map(formatScope).join(' ')}"`]),
    ...(error === undefined ? [] : [`error="${error}"`]),
  ]
  return new OciError('UNAUTHORIZED', detail, { headers: { 'WWW-Authenticate': `Bearer ${parts.join(',')}` } })
}
