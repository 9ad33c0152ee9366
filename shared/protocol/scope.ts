// What a client wants a token for: `repository:<name>:<actions>`, `registry:catalog:*`.
// Source: CNCF Distribution, "Token Scope Documentation".

import { parseRepositoryName, type RepositoryName } from './names.ts'

export type Scope =
  | { readonly type: 'repository'; readonly name: RepositoryName; readonly actions: readonly string[] }
  | { readonly type: 'catalog' }

/** Scopes that one token is asked for at most; a mount asks for two. */
export const scopeLimit = 100

/**
 * The scopes in some texts, each of which may hold several with spaces between them. What is no scope of ours is left
 * out: the token will not have it. Undefined where there are too many.
 */
export function parseScopes(texts: readonly string[]): Scope[] | undefined {
  const parts = texts.flatMap((text) => text.split(' ').filter((part) => part !== ''))
  return parts.length > scopeLimit ? undefined : parts.map(parseScope).filter((scope) => scope !== undefined)
}

export function formatScope(scope: Scope): string {
  return scope.type === 'catalog' ? 'registry:catalog:*' : `repository:${scope.name}:${scope.actions.join(',')}`
}

function parseScope(text: string): Scope | undefined {
  if (text === 'registry:catalog:*') return { type: 'catalog' }
  const [, name = '', actions = ''] = /^repository(?:\([a-z0-9]+\))?:([^:]+):([a-z*,]+)$/.exec(text) ?? []
  const parsed = parseRepositoryName(name)
  return parsed && { type: 'repository', name: parsed, actions: [...new Set(actions.split(','))] }
}
