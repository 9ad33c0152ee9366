// Limits of a token as they are typed and shown: `team/**:pull,push`.

import * as v from 'valibot'
import { type Right, rights } from '../../shared/protocol/rights.ts'
import { repositoryPattern } from '../../shared/auth/repository-pattern.ts'
import type { TokenLimit } from '../../shared/ports/accounts.ts'

export const tokenLimitRule = `must be a pattern of repository names, a colon, and rights with commas between them (${rights.join(', ')}), e.g. team/**:pull,push`

/** Undefined where it is none. */
export function parseTokenLimit(text: string): TokenLimit | undefined {
  const colon = text.lastIndexOf(':')
  const repositories = text.slice(0, Math.max(colon, 0))
  const given = text.slice(colon + 1).split(',')
  if (!v.is(repositoryPattern, repositories) || !given.every(isRight)) return undefined
  return { repositories, rights: [...new Set(given)] }
}

export function formatTokenLimit({ repositories, rights }: TokenLimit): string {
  return `${repositories}:${rights.join(',')}`
}

function isRight(text: string): text is Right {
  return rights.some((right) => right === text)
}
