// Who sent a request, and whether it may do what it wants.

import { OciError } from '../protocol/errors.ts'
import { isContentName, type RepositoryName } from '../protocol/names.ts'
import { type AccessRules, deletes, rightsIn } from './access.ts'
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
  /** Whether the token is for the list of all repositories. */
  readonly catalog: boolean
}

export const anonymousCaller: Caller = { user: undefined, access: [], catalog: false }

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

/** Why nobody at all may do something, whoever asks; undefined where somebody may. */
export function closedToAll(rules: AccessRules, right: Right, name: RepositoryName): OciError | undefined {
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
