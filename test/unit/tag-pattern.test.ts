import { expect, test } from 'vitest'
import { matchesTagPattern, mayMatchTagsOf } from '../../shared/auth/tag-pattern.ts'
import { repository, tag } from '../support/arbitraries.ts'

test.each([
  ['team/app:v1', 'team/app', 'v1', true],
  ['team/app:v1', 'team/app', 'v10', false],
  ['team/app:v1', 'team/app', 'xv1', false],
  ['team/app:v1', 'team/other', 'v1', false],
  ['team/app:v*', 'team/app', 'v', true],
  ['team/app:v*', 'team/app', 'v1.2-rc_3', true],
  ['team/app:v*', 'team/app', 'latest', false],
  ['team/app:*-final', 'team/app', '1.0-final', true],
  ['team/app:1.*', 'team/app', '1x0', false],
  ['team/app:1.*.0', 'team/app', '1.2.3.0', true],
  ['team/app:**', 'team/app', 'any', true],
  ['team/*:*', 'team/app', 'any', true],
  ['team/*:*', 'team/a/b', 'any', false],
  ['**:V1', 'any/name', 'V1', true],
  ['**:V1', 'any/name', 'v1', false],
])('%s stands for %s:%s: %s', (pattern, name, text, matches) => {
  expect(matchesTagPattern(pattern, repository(name), tag(text))).toBe(matches)
})

test('a repository can have such tags by its name alone', () => {
  expect([
    mayMatchTagsOf('team/**:v1', repository('team/app')),
    mayMatchTagsOf('team/**:v1', repository('other')),
  ]).toEqual([true, false])
})
