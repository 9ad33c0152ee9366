// Settings that are marked as secret, in a schema of the test's own.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { describe, expect, onTestFinished, test } from 'vitest'
import { configJsonSchema } from '../../origin/config/json-schema.ts'
import { printedConfig } from '../../origin/config/print.ts'
import { setting } from '../../origin/config/setting.ts'
import { settingsOf } from '../../origin/config/settings.ts'
import { temporaryFolder } from '../support/stack.ts'
import { faultsWith, readWith, type Sources } from './config-sources.ts'

const schema = v.strictObject({
  account: v.strictObject({
    name: setting(v.string(), { default: 'me', description: 'Who.' }),
    key: setting(v.pipe(v.string('must be a text'), v.minLength(6, 'must be at least 6 characters')), {
      example: 'a-long-key',
      description: 'Key.',
      secret: true,
    }),
  }),
})

async function fileWith(content: string): Promise<string> {
  const folder = await temporaryFolder()
  onTestFinished(folder.remove)
  await writeFile(join(folder.path, 'key'), content)
  return join(folder.path, 'key')
}

const key = async (sources: Sources) => (await readWith(schema, sources)).config.account.key

describe('a secret', () => {
  test('is the only kind of setting that has a variable for a file', () => {
    expect(settingsOf(schema).map(({ secret, environmentFile }) => [secret, environmentFile])).toEqual([
      [false, undefined],
      [true, 'MIRRORBALL_ACCOUNT_KEY_FILE'],
    ])
  })

  test('is taken from a file that a variable names, as from every other source', async () => {
    const MIRRORBALL_ACCOUNT_KEY_FILE = await fileWith('from-file')
    expect(await key({ environment: { MIRRORBALL_ACCOUNT_KEY_FILE } })).toBe('from-file')
    expect(await key({ file: 'account: {key: from-yaml}', environment: { MIRRORBALL_ACCOUNT_KEY_FILE } })).toBe(
      'from-file',
    )
    expect(await key({ options: { 'account-key': 'from-option' }, environment: { MIRRORBALL_ACCOUNT_KEY_FILE } })).toBe(
      'from-option',
    )
    expect(await key({ environment: { MIRRORBALL_ACCOUNT_KEY: 'from-variable' } })).toBe('from-variable')
    expect(await key({ file: 'account: {key: from-yaml}' })).toBe('from-yaml')
  })

  test.each([
    ['sesame\n', 'sesame'],
    ['sesame\r\n', 'sesame'],
    ['sesame\n\n', 'sesame\n'],
    [' sesame ', ' sesame '],
  ])('in a file as %j is %j', async (content, expected) => {
    expect(await key({ environment: { MIRRORBALL_ACCOUNT_KEY_FILE: await fileWith(content) } })).toBe(expected)
  })

  test('given twice by the environment is a fault', async () => {
    const environment = { MIRRORBALL_ACCOUNT_KEY_FILE: await fileWith('sesame'), MIRRORBALL_ACCOUNT_KEY: 'sesame' }
    expect(await faultsWith(schema, { environment })).toEqual([
      'MIRRORBALL_ACCOUNT_KEY_FILE: is set, and so is MIRRORBALL_ACCOUNT_KEY; unset one of them',
    ])
  })

  test('in a file that is not there is a fault', async () => {
    expect(await faultsWith(schema, { environment: { MIRRORBALL_ACCOUNT_KEY_FILE: '/nowhere/key' } })).toEqual([
      expect.stringMatching(/^MIRRORBALL_ACCOUNT_KEY_FILE: names a file that cannot be read: ENOENT/),
    ])
  })

  test('is not told where it is at fault', async () => {
    const refused = 'must be at least 6 characters; got a value that is not shown, being secret'
    const variable = { environment: { MIRRORBALL_ACCOUNT_KEY: 'abc' } }
    const file = { environment: { MIRRORBALL_ACCOUNT_KEY_FILE: await fileWith('abc') } }
    expect(await faultsWith(schema, variable)).toEqual([
      `MIRRORBALL_ACCOUNT_KEY: ${refused}; e.g. MIRRORBALL_ACCOUNT_KEY=a-long-key`,
    ])
    expect(await faultsWith(schema, file)).toEqual([`MIRRORBALL_ACCOUNT_KEY_FILE: ${refused}`])
    expect(await faultsWith(schema, { options: { 'account-key': 'abc' } })).toEqual([
      `--account-key: ${refused}; e.g. --account-key a-long-key`,
    ])
    expect((await faultsWith(schema, { file: 'account: {key: {sesame: 1}}' })).join()).not.toContain('sesame')
  })

  test('is not printed, but where it came from is', async () => {
    const environment = { MIRRORBALL_ACCOUNT_KEY_FILE: await fileWith('sesame') }
    const text = printedConfig(schema, await readWith(schema, { environment }))
    expect(text).toContain('\n  key: "***" # variable MIRRORBALL_ACCOUNT_KEY_FILE\n')
    expect(text).not.toContain('sesame')
    expect(printedConfig(schema, await readWith(schema, {}))).toContain('\n  # key is not set. Key.\n')
  })

  test('leaves no mark in the JSON Schema that validators do not know', () => {
    expect(configJsonSchema(schema).properties?.['account']).toMatchObject({
      properties: { key: { type: 'string', minLength: 6, description: 'Key.' } },
    })
    expect(JSON.stringify(configJsonSchema(schema))).not.toContain('secret')
  })
})

test('no other setting has a variable for a file', async () => {
  expect(await faultsWith(schema, { environment: { MIRRORBALL_ACCOUNT_NAME_FILE: '/a' } })).toEqual([
    expect.stringMatching(/^MIRRORBALL_ACCOUNT_NAME_FILE: there is no such variable/),
  ])
})

test('a setting that must be set and is not is told with all its names', async () => {
  const schema = v.strictObject({ account: v.strictObject({ name: v.string() }) })
  expect(await faultsWith(schema, {})).toEqual(['account.name: must be set (--account-name, MIRRORBALL_ACCOUNT_NAME)'])
})
