// Patterns of repository names: `team/app`; `team/*`, where `*` stands for any part of one component; `team/**`, for all
// that follows; `**`, for all names.

import * as v from 'valibot'
import type { RepositoryName } from '../protocol/names.ts'

/** What is such a pattern. */
export const repositoryPattern = v.pipe(v.string(), v.regex(/^(?:[a-z0-9._*-]+\/)*[a-z0-9._*-]+$/))

export function matchesPattern(pattern: string, name: RepositoryName): boolean {
  return expressionOf(pattern).test(name)
}

const expressions = new Map<string, RegExp>()

function expressionOf(pattern: string): RegExp {
  const known = expressions.get(pattern)
  if (known !== undefined) return known
  const parts = pattern
    .split(/(\*+)/)
    .map((part) => (part.startsWith('**') ? '.*' : part === '*' ? '[^/]*' : escaped(part)))
  const made = new RegExp(`^${parts.join('')}$`)
  expressions.set(pattern, made)
  return made
}

function escaped(text: string): string {
  return text.replaceAll(/[.-]/g, String.raw`\$&`)
}
