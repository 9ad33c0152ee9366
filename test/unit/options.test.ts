// Command-line options: one for every setting, and what is no option does not go unseen.

import { parseArgs } from 'citty'
import { describe, expect, test } from 'vitest'
import { givenOptions, optionArgs } from '../../origin/cli/options.ts'
import { settings } from '../../origin/config/settings.ts'
import { faults } from './config-sources.ts'

const given = (...args: string[]) => givenOptions(parseArgs(args, optionArgs))

test('there is an option for every setting and for the file, and no other', () => {
  expect(Object.keys(optionArgs).toSorted()).toEqual(['config', ...settings.map(({ option }) => option)].toSorted())
})

test.each(settings)(
  '--$option says what it is for, its default and its variable',
  ({ option, about, environment, environmentFile, default: fallback }) => {
    const description = optionArgs[option]?.description
    expect(description).toContain(about)
    expect(description).toContain(`(${[environment, environmentFile].filter(Boolean).join(', ')})`)
    if (fallback !== undefined) expect(description).toContain(`Default: ${fallback}.`)
  },
)

describe('an option', () => {
  test.each(Object.keys(optionArgs))('--%s is taken in both spellings', (option) => {
    expect(given(`--${option}`, 'value')).toEqual({ [option]: 'value' })
    expect(given(`--${option}=value`)).toEqual({ [option]: 'value' })
  })

  test('that was not given is not there: no default hides the environment', () => {
    expect(given()).toEqual({})
  })

  test.each([
    ['there is not', ['--orgin-listen', '127.0.0.1:1'], '--orgin-listen: there is no such option'],
    ['there is not, without a value', ['--verbose'], '--verbose: there is no such option'],
    ['there is not, in one letter', ['-v'], '--v: there is no such option'],
    ['there is not, spelled otherwise', ['--orginListen=a'], '--orginListen: there is no such option'],
    ['has no value', ['--origin-listen'], '--origin-listen: must be HOST:PORT'],
    ['has an empty value', ['--origin-listen='], '--origin-listen: must be HOST:PORT'],
    ['has no value, spelled otherwise', ['--originListen'], '--origin-listen: must be HOST:PORT'],
    ['is turned off', ['--no-origin-listen'], '--origin-listen: must be HOST:PORT'],
    ['names no file', ['--config='], '--config: must be the path of a file'],
  ])('that %s is refused by its name, and is all that is', async (_, args, message) => {
    expect(await faults({ options: given(...args) })).toEqual([expect.stringContaining(message)])
  })

  test('that is wrong is told with all others', async () => {
    const options = given('--orgin-listen', 'a', '--log-level', 'loud', '--edge-runtime=node')
    expect((await faults({ options })).map((line) => line.split(':')[0])).toEqual([
      '--orgin-listen',
      '--edge-runtime',
      '--log-level',
    ])
  })
})

test.each([[['stray']], [['--data-dir', '/a', 'stray']], [['--', 'stray']]])('arguments %j are refused', (args) => {
  expect(() => given(...args)).toThrow('stray')
})
