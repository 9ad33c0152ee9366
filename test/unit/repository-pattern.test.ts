import { expect, test } from 'vitest'
import { isAllPublic, isPublic } from '../../shared/auth/access.ts'
import { matchesPattern } from '../../shared/auth/repository-pattern.ts'
import { parseRepositoryName, type RepositoryName } from '../../shared/protocol/names.ts'

const name = (text: string) => parseRepositoryName(text) as RepositoryName

test.each([
  ['team/app', 'team/app', true],
  ['team/app', 'team/app/x', false],
  ['team/app', 'xteam/app', false],
  ['team/*', 'team/app', true],
  ['team/*', 'team/a/b', false],
  ['team/*', 'team', false],
  ['team/**', 'team/a/b', true],
  ['team/**', 'team', false],
  ['team/**', 'teams/a', false],
  ['**', 'any/name', true],
  ['*', 'any/name', false],
  ['a*c', 'abc', true],
  ['a.c', 'abc', false],
  ['**/secret', 'a/b/secret', true],
])('%s stands for %s: %s', (pattern, text, matches) => {
  expect(matchesPattern(pattern, name(text))).toBe(matches)
})

test('a repository is public unless one of the patterns stands for it', () => {
  const rules = { anonymous: 'push', delete: true, private: ['team/**', 'secret'] } as const
  const asRules = { ...rules, private: [...rules.private] }
  expect([
    isPublic(asRules, name('team/a')),
    isPublic(asRules, name('secret')),
    isPublic(asRules, name('other')),
  ]).toEqual([false, false, true])
  expect([isAllPublic(asRules), isAllPublic({ anonymous: 'pull', delete: false })]).toEqual([false, true])
})
