// Who sent a request, and what that gives them.

import type { RepositoryName } from '../protocol/names.ts'
import { type AccessRules, rightsIn } from './access.ts'
import { matchesPattern } from './repository-pattern.ts'
import type { Right } from '../protocol/rights.ts'

/** What a token says of one repository that it was asked for. */
export interface TokenAccess {
  readonly name: RepositoryName
  readonly granted: readonly Right[]
  /** Asked for and not given: to ask again would be in vain. */
  readonly refused: readonly Right[]
}

export interface Caller {
  /** Undefined: an anonymous client. */
  readonly user: string | undefined
  /** Of a user's token; an anonymous client has none. */
  readonly access: readonly TokenAccess[]
  /** Patterns of the repositories that the token may list; undefined where it was not asked for the list. */
  readonly catalog: readonly string[] | undefined
}

export const anonymousCaller: Caller = { user: undefined, access: [], catalog: undefined }

/** Whether a repository is in the list that a caller gets: what everyone may pull, and what the token and its user may. */
export function mayList(rules: AccessRules, { user, catalog }: Caller, name: RepositoryName): boolean {
  const isWithin = catalog?.some((pattern) => matchesPattern(pattern, name)) === true
  return rightsIn(rules, isWithin ? user : undefined, name).has('pull')
}

/** Whether a caller has a right in a repository; `unasked`: another token might have it. */
export function standing(
  rules: AccessRules,
  caller: Caller,
  right: Right,
  name: RepositoryName,
): 'granted' | 'refused' | 'unasked' {
  if (rightsIn(rules, undefined, name).has(right)) return 'granted'
  const ofName = caller.access.filter((access) => access.name === name)
  if (ofName.some(({ granted }) => granted.includes(right))) return 'granted'
  return ofName.some(({ refused }) => refused.includes(right)) ? 'refused' : 'unasked'
}
