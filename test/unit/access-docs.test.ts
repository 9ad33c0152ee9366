// The examples of access in docs/access.md are configurations that work, and do what the text beside them says.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { accessRules } from '../../origin/config/addresses.ts'
import { configSchema } from '../../origin/config/schema.ts'
import { hasUsers, rightsIn } from '../../shared/auth/access.ts'
import { parseRepositoryName } from '../../shared/protocol/names.ts'
import { projectFolder } from '../support/stack.ts'
import { readWith } from './config-sources.ts'

const document = await readFile(join(projectFolder, 'docs/access.md'), 'utf8')

/** The rules that an example makes where other machines reach the registry. */
async function rulesOf(example: string) {
  const marks = new RegExp(`<!-- ${example}:begin -->\n\`\`\`yaml\n([^]*?)\`\`\`\n<!-- ${example}:end -->`)
  const [, file = ''] = marks.exec(document) ?? []
  expect(file, `the example ${example}`).not.toBe('')
  const { config } = await readWith(configSchema, { file, options: { 'origin-listen': '0.0.0.0:443' } })
  return accessRules(config)
}

async function rights(example: string, user: string | undefined, repository: string): Promise<readonly string[]> {
  const name = parseRepositoryName(repository)
  if (name === undefined) throw new Error(`${repository} is no name`)
  return [...rightsIn(await rulesOf(example), user, name)].sort()
}

describe('anonymous pull with authenticated push', () => {
  const example = 'access-two-lines'

  test('lets everyone pull', async () => {
    expect(await rights(example, undefined, 'library/app')).toEqual(['pull'])
  })

  test('lets who signs in push', async () => {
    expect(hasUsers(await rulesOf(example))).toBe(true)
    expect(await rights(example, 'alice', 'library/app')).toEqual(['pull', 'push'])
  })
})

describe('the example of rules', () => {
  test.each([
    [undefined, 'app', ['pull']],
    [undefined, 'team/app', []],
    [undefined, 'team/handbook', ['pull']],
    ['alice', 'team/app', ['pull', 'push']],
    ['bob', 'team/handbook', ['pull', 'push']],
    ['alice', 'library/app', ['pull']],
    ['ci', 'team/app', ['delete', 'pull', 'push']],
    ['ci', 'library/app', ['delete', 'pull', 'push']],
    ['ci', 'app', ['pull']],
    ['carol', 'app', ['pull']],
    ['carol', 'team/app', []],
    ['carol', 'team/handbook', ['pull']],
  ])('gives %s in %s %j', async (user, repository, expected) => {
    expect(await rights('access-rules', user, repository)).toEqual(expected)
  })
})
