// `config print`: every setting with its value and where that came from, without secrets.

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parse as parseYaml } from 'yaml'
import { printedConfig } from '../../origin/config/print.ts'
import { redactUrls } from '../../origin/config/redact.ts'
import { configSchema } from '../../origin/config/schema.ts'
import { settings } from '../../origin/config/settings.ts'
import { load, readWith, type Sources } from './config-sources.ts'

const printed = async (sources: Sources = {}) => printedConfig(configSchema, await readWith(configSchema, sources))

/** The line of a setting, without what it is indented by. */
const lineOf = (text: string, path: string) => {
  const [section = '', name] = path.split('.')
  const lines = text.split('\n')
  if (name === undefined) return lines.find((line) => line.startsWith(`${section}:`))
  const inside = lines.slice(lines.indexOf(`${section}:`) + 1)
  return inside.find((line) => line.startsWith(`  ${name}:`) || line.startsWith(`  # ${name} `))?.trim()
}

const shown = settings.filter(({ secret }) => !secret)

describe('a printed configuration', () => {
  test('says of each value where it came from', async () => {
    const text = await printed({
      file: 'data_dir: /srv\nlog:\n  level: debug\nhttp:\n  drain_ms: 5',
      environment: {
        MIRRORBALL_LOG_LEVEL: 'warn',
        MIRRORBALL_ORIGIN_LISTEN: '[::1]:0',
        MIRRORBALL_ACCESS_DELETE: 'true',
      },
      options: { edge: 'workerd', 'http-drain-ms': '700' },
    })
    expect(lineOf(text, 'data_dir')).toMatch(/^data_dir: \/srv # file .*some\.yaml$/)
    expect(lineOf(text, 'log.level')).toBe('level: warn # variable MIRRORBALL_LOG_LEVEL')
    expect(lineOf(text, 'origin.listen')).toBe('listen: "[::1]:0" # variable MIRRORBALL_ORIGIN_LISTEN')
    expect(lineOf(text, 'access.delete')).toBe('delete: true # variable MIRRORBALL_ACCESS_DELETE')
    expect(lineOf(text, 'edge.runtime')).toBe('runtime: workerd # option --edge')
    expect(lineOf(text, 'http.drain_ms')).toBe('drain_ms: 700 # option --http-drain-ms')
    expect(lineOf(text, 'edge.memory_cache_mib')).toBe('memory_cache_mib: 64 # default')
  })

  test.each(settings)('has $path, by its default or as not set', async ({ path, default: fallback, about }) => {
    const name = path.split('.').at(-1)
    const line = lineOf(await printed(), path)
    expect(line).toBe(fallback === undefined ? `# ${name} is not set. ${about}` : `${name}: ${fallback} # default`)
  })

  test.each<[string, Sources]>([
    ['by default', {}],
    [
      'with every setting set that is no secret',
      { environment: Object.fromEntries(shown.map((each) => [each.environment, each.example ?? ''])) },
    ],
    [
      'with values that YAML has to quote',
      {
        environment: {
          MIRRORBALL_DATA_DIR: ' a: "b" # c\n- d',
          MIRRORBALL_BUCKET_FOLDER: 'true',
          MIRRORBALL_BUCKET_REGION: '12',
        },
      },
    ],
    [
      'with values of many lines',
      { environment: { MIRRORBALL_DATA_DIR: 'line "of" text\n'.repeat(9), MIRRORBALL_BUCKET_REGION: '\n' } },
    ],
    ['with a long value', { environment: { MIRRORBALL_DATA_DIR: `/${'long '.repeat(100)}` } }],
  ])('read again gives the same configuration, %s', async (_, sources) => {
    expect(await load({ file: await printed(sources) })).toEqual(await load(sources))
  })

  test('read again gives the same, whatever text a value is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ minLength: 1, unit: 'binary' }), async (data_dir) => {
        const text = await printed({ options: { 'data-dir': data_dir } })
        expect(parseYaml(text)).toMatchObject({ data_dir: redactUrls(data_dir), origin: { listen: '127.0.0.1:1970' } })
      }),
    )
  })

  test('is YAML of as many settings as there are, one a line', async () => {
    const environment = Object.fromEntries(settings.map((each) => [each.environment, each.example ?? '']))
    const text = await printed({ environment })
    const values = parseYaml(text) as Record<string, unknown>
    const names = Object.entries(values).flatMap(([name, value]) =>
      typeof value === 'object' && value !== null ? Object.keys(value).map((key) => `${name}.${key}`) : [name],
    )
    expect(names).toEqual(settings.map(({ path }) => path))
    expect(text.match(/ # variable MIRRORBALL_/g)).toHaveLength(settings.length)
  })
})
