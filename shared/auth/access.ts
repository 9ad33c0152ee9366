// Who may do what. As yet there are no users: one setting says what everyone (anonymous) may do.

import * as v from 'valibot'
import { OciError } from '../protocol/errors.ts'
import { isContentName, type RepositoryName } from '../protocol/names.ts'
import { matchesPattern } from './repository-pattern.ts'

/** `push` includes `pull`. */
export const accessRulesSchema = v.object({
  anonymous: v.picklist(['pull', 'push'], 'must be pull or push'),
  /** Whether who may push may delete too. One switch for tags, manifests and blobs. */
  delete: v.boolean('must be true or false'),
  /** Whether nobody may push or delete, whatever else is set. */
  readOnly: v.optional(v.boolean('must be true or false')),
  /** Whether everyone may ask for images of IPFS that were never seen here, by their CIDs. */
  fetch: v.optional(v.boolean('must be true or false')),
  /** Patterns of repositories that anonymous clients may neither pull nor push; as yet nobody else may. */
  private: v.optional(v.array(v.string())),
  /** Patterns of tags that nobody may move or delete once they are there. */
  immutableTags: v.optional(v.array(v.string())),
})

export type AccessRules = Readonly<v.InferOutput<typeof accessRulesSchema>>

/** Why a request is refused, or undefined where it is allowed. The same check for every route and method. */
export function accessRefusal(
  rules: AccessRules,
  right: 'pull' | 'push' | 'delete',
  name: RepositoryName | undefined,
): OciError | undefined {
  if (name !== undefined && !isPublic(rules, name)) {
    return new OciError('DENIED', `${name} is private (access.private)`)
  }
  if (right === 'pull') return undefined
  if (rules.readOnly === true) {
    return new OciError('UNSUPPORTED', 'pushes and deletes are switched off here (access.read_only); pulls work', {
      summary: 'this registry is read-only',
    })
  }
  if (name !== undefined && isContentName(name)) {
    return new OciError(
      'DENIED',
      `${name} is a content name (a CID or a digest): such repositories are read-only views, push under another name`,
    )
  }
  if (rules.anonymous !== 'push') {
    return new OciError('DENIED', 'this registry takes no pushes and no deletes from anonymous clients')
  }
  if (right === 'delete' && !rules.delete) {
    return new OciError('UNSUPPORTED', 'deleting is switched off here (access.delete)')
  }
  return undefined
}

/** Whether anonymous clients may pull from a repository. Only such repositories are published on IPFS. */
export function isPublic(rules: AccessRules, name: RepositoryName): boolean {
  return rules.private?.some((pattern) => matchesPattern(pattern, name)) !== true
}

/** Whether anonymous clients may pull everything there is. */
export function isAllPublic(rules: AccessRules): boolean {
  return (rules.private ?? []).length === 0
}
