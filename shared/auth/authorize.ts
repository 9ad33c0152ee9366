// Whether a request may do what it wants: one check for every route, method and spelling.

import { OciError } from '../protocol/errors.ts'
import type { ClientInfo } from '../ports/client-info.ts'
import { isContentName, type RepositoryName } from '../protocol/names.ts'
import type { Scope } from '../protocol/scope.ts'
import { type AccessRules, deletes, isPublic } from './access.ts'
import { type Authentication, unauthorized } from './authentication.ts'
import { anonymousCaller, type Caller, standing } from './caller.ts'
import type { Right } from '../protocol/rights.ts'

/** What a request wants: something in a repository, the list of them, or to know that the registry is there. */
export type Wanted =
  | { readonly kind: 'repository'; readonly name: RepositoryName; readonly right: Right }
  | { readonly kind: 'catalog' }
  | { readonly kind: 'version' }

/**
 * The caller of a request that may do what it wants.
 * @param auth undefined where nobody can sign in
 * @param caller undefined where the request has no token
 * @throws OciError: UNAUTHORIZED where another token might help, DENIED where none would, UNSUPPORTED where nobody may
 */
export function authorize(
  rules: AccessRules,
  auth: Authentication | undefined,
  client: ClientInfo,
  caller: Caller | undefined,
  wanted: Wanted,
): Caller {
  if (wanted.kind === 'repository') return authorizeIn(rules, auth, client, caller ?? anonymousCaller, wanted)
  if (auth === undefined) return anonymousCaller
  // Clients learn from these answers that there is a token service, and that their user may see more than everyone.
  if (caller === undefined)
    throw unauthorized(auth, client, scopesFor(wanted), 'a token is wanted; anonymous clients get one too')
  if (wanted.kind === 'version') return caller
  const isEnough = caller.user === undefined ? rules.anonymous !== 'none' : caller.catalog !== undefined
  if (!isEnough)
    throw unauthorized(auth, client, scopesFor(wanted), 'the list of repositories takes a token', errorFor(caller))
  return caller
}

function authorizeIn(
  rules: AccessRules,
  auth: Authentication | undefined,
  client: ClientInfo,
  caller: Caller,
  { name, right }: { readonly name: RepositoryName; readonly right: Right },
): Caller {
  const closed = closedToAll(rules, right, name)
  const stands = standing(rules, caller, right, name)
  // That pushes are off for everyone is nobody's secret, but it is no answer to who may not even pull.
  if (closed !== undefined && (auth !== undefined || isPublic(rules, name))) throw closed
  if (stands === 'granted') return caller
  if (auth === undefined) throw deniedToAll(rules, name)
  if (stands === 'refused') throw new OciError('DENIED', `${caller.user} may not ${right} here: ${name}`)
  throw unauthorized(
    auth,
    client,
    scopesFor({ kind: 'repository', name, right }),
    `to ${right} here takes a token with the right to`,
    errorFor(caller),
  )
}

function errorFor({ user }: Caller): 'insufficient_scope' | undefined {
  return user === undefined ? undefined : 'insufficient_scope'
}

/** What a client should ask a token for. A push reads as well. */
export function scopesFor(wanted: Wanted): Scope[] {
  if (wanted.kind === 'version') return []
  if (wanted.kind === 'catalog') return [{ type: 'catalog' }]
  const { name, right } = wanted
  return [{ type: 'repository', name, actions: right === 'push' ? ['pull', 'push'] : [right] }]
}

function deniedToAll(rules: AccessRules, name: RepositoryName): OciError {
  return !isPublic(rules, name)
    ? new OciError('DENIED', `${name} is private (access.private)`)
    : new OciError('DENIED', `this registry takes no pushes and no deletes from anonymous clients`)
}

/** Why nobody at all may do something, whoever asks; undefined where somebody may. */
function closedToAll(rules: AccessRules, right: Right, name: RepositoryName): OciError | undefined {
  if (right === 'pull' || right === 'fetch') return undefined
  if (rules.readOnly === true) {
    return new OciError('UNSUPPORTED', 'pushes and deletes are switched off here (access.read_only); pulls work', {
      summary: 'this registry is read-only',
    })
  }
  if (isContentName(name)) {
    return new OciError(
      'DENIED',
      `${name} is a content name (a CID or a digest): such repositories are read-only views, push under another name`,
    )
  }
  if (right === 'delete' && !deletes(rules)) {
    return new OciError('UNSUPPORTED', 'deleting is switched off here (access.delete)')
  }
  return undefined
}
