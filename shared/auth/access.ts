// The rules of who may do what: plain data, the same at the origin and at every edge. What they give is added up; nothing
// takes a right away but `private`, which takes a repository out of what holds for all of them.

import * as v from 'valibot'
import { isUserName } from '../protocol/user-name.ts'
import { isContentName, type RepositoryName } from '../protocol/names.ts'
import { matchesPattern, repositoryPattern } from './repository-pattern.ts'
import { type Right, rights } from '../protocol/rights.ts'

/** A user's name, as a value of the configuration or of a token. */
export const userName = v.pipe(v.string(), v.check(isUserName))

/** What a file holds as a structure, and a variable or an option as JSON. */
function structured<const Schema extends v.GenericSchema>(schema: Schema, message: string) {
  const fromText = v.pipe(v.string(), v.parseJson(undefined, message), schema)
  return v.config(v.union([schema, fromText]), { abortPipeEarly: true, message })
}

/** An entry of a structure, with these names and no other. (A section of the settings is the library's strict object.) */
function closed<const Entries extends v.ObjectEntries>(entries: Entries) {
  return v.pipe(
    v.objectWithRest(entries, v.never()),
    // Without the index signature that stands for all other names.
    v.transform((value) => value as v.InferOutput<v.ObjectSchema<Entries, undefined>>),
  )
}

const ruleMessage =
  'must be a list of rules, each with `repositories` (patterns), `rights` (pull, push, delete, fetch), and `users` (names, or @ and a group’s name) or `anonymous: true`'

const ruleSchema = closed({
  repositories: v.array(repositoryPattern),
  /** Names, and groups with an @ before them. */
  users: v.optional(v.array(v.union([userName, v.pipe(v.string(), v.regex(/^@[A-Za-z0-9][A-Za-z0-9._-]*$/))])), []),
  /** Whether the rule is for everyone, signed in or not. */
  anonymous: v.optional(v.boolean(), false),
  rights: v.array(v.picklist(rights)),
})

const groupMessage = 'must be a list of groups, each with a `name` and its `users`'

const groupSchema = closed({
  name: v.pipe(v.string(), v.regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/)),
  users: v.array(userName),
})

const serviceMessage = 'must be a name of letters, digits and . _ : -'

/** Of everyone and of all users: `push` includes `pull`. */
const levels = ['none', 'pull', 'push'] as const

export const accessRulesSchema = v.object({
  /** What everyone may do where a repository is not private. */
  anonymous: v.picklist(levels, 'must be none, pull or push'),
  /** What everyone who signed in may do there. */
  users: v.optional(v.picklist(levels, 'must be none, pull or push')),
  /** Whether who may push may delete too. One switch for tags, manifests and blobs. */
  delete: v.boolean('must be true or false'),
  /** Whether nobody may push or delete, whatever else is set. */
  readOnly: v.optional(v.boolean('must be true or false')),
  /** Whether everyone may ask for images of IPFS that were never seen here, by their CIDs. */
  fetch: v.optional(v.boolean('must be true or false')),
  /** Patterns of repositories that are closed to all but those whom a rule names. */
  private: v.optional(v.array(v.string())),
  rules: v.optional(structured(v.array(ruleSchema), ruleMessage)),
  groups: v.optional(structured(v.array(groupSchema), groupMessage)),
  /** Name of the service that tokens are for: origin and edges of one registry have the same. */
  service: v.optional(v.pipe(v.string(serviceMessage), v.regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/, serviceMessage))),
  /** Patterns of tags that nobody may move or delete once they are there. */
  immutableTags: v.optional(v.array(v.string())),
})

export type AccessRules = Readonly<v.InferOutput<typeof accessRulesSchema>>

/** What the rules let somebody do in a repository. @param user undefined: an anonymous client */
export function rightsIn(rules: AccessRules, user: string | undefined, name: RepositoryName): ReadonlySet<Right> {
  const found = new Set<Right>()
  const add = (right: Right) => {
    found.add(right)
    if (right !== 'push') return
    found.add('pull')
    if (rules.delete) found.add('delete')
  }
  if (!isClosed(rules, name)) {
    if (rules.anonymous !== 'none') add(rules.anonymous)
    if (user !== undefined && rules.users !== undefined && rules.users !== 'none') add(rules.users)
    if (rules.fetch === true) add('fetch')
  }
  for (const rule of rules.rules ?? []) {
    const isMeant = rule.anonymous || (user !== undefined && isNamed(rules, rule.users, user))
    if (isMeant && rule.repositories.some((pattern) => matchesPattern(pattern, name))) rule.rights.forEach(add)
  }
  // Such a view exists only where the repository behind it is public, or where it came from outside.
  if (user !== undefined && isContentName(name)) found.add('pull')
  return found
}

/** Whether anonymous clients may pull from a repository. Only such repositories are published on IPFS. */
export function isPublic(rules: AccessRules, name: RepositoryName): boolean {
  return rightsIn(rules, undefined, name).has('pull')
}

/** Whether anonymous clients may pull everything there is. */
export function isAllPublic(rules: AccessRules): boolean {
  return rules.anonymous !== 'none' && (rules.private ?? []).length === 0
}

/** Of the service, where the rules name none. */
export const defaultService = 'mirrorball'

/** Whether anybody can sign in. Where nobody can, nobody is asked to. */
export function hasUsers(rules: AccessRules): boolean {
  return rules.anonymous === 'none' || rules.users !== undefined || rules.rules !== undefined
}

/** Whether deletes are switched on at all, for anyone. */
export function deletes(rules: AccessRules): boolean {
  return rules.delete || rules.rules?.some((rule) => rule.rights.includes('delete')) === true
}

function isClosed(rules: AccessRules, name: RepositoryName): boolean {
  return rules.private?.some((pattern) => matchesPattern(pattern, name)) === true
}

function isNamed(rules: AccessRules, users: readonly string[], user: string): boolean {
  return users.some(
    (each) =>
      each === user ||
      (each.startsWith('@') && rules.groups?.some((group) => `@${group.name}` === each && group.users.includes(user))),
  )
}
