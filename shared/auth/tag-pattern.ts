// Patterns of tags: `team/app:v*`, a pattern of repositories (repository-pattern.ts), a colon, and a tag, where `*` stands
// for any part of it. Neither names nor tags have a colon.

import type { RepositoryName, Tag } from '../protocol/names.ts'
import { matchesPattern } from './repository-pattern.ts'

export function matchesTagPattern(pattern: string, name: RepositoryName, tag: Tag): boolean {
  return mayMatchTagsOf(pattern, name) && expressionOf(pattern.slice(pattern.indexOf(':') + 1)).test(tag)
}

/** Whether a repository can have tags that the pattern stands for. */
export function mayMatchTagsOf(pattern: string, name: RepositoryName): boolean {
  return matchesPattern(pattern.slice(0, pattern.indexOf(':')), name)
}

const expressions = new Map<string, RegExp>()

function expressionOf(tagPattern: string): RegExp {
  const known = expressions.get(tagPattern)
  if (known !== undefined) return known
  const made = new RegExp(`^${tagPattern.replaceAll(/[.-]/g, String.raw`\$&`).replaceAll(/\*+/g, '.*')}$`)
  expressions.set(tagPattern, made)
  return made
}
