// The configuration's file, and what is refused and in which words.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { ConfigError } from '../../origin/config/config-error.ts'
import { loadConfig } from '../../origin/config/load.ts'
import { temporaryFolder } from '../support/stack.ts'
import { settings } from '../../origin/config/settings.ts'
import { faults, load } from './config-sources.ts'

describe('the file', () => {
  test('is the one that the command line names, over the one that the environment names', async () => {
    const folder = await temporaryFolder()
    onTestFinished(folder.remove)
    const other = join(folder.path, 'other.yaml')
    await writeFile(other, 'data_dir: /other')
    const environment = { MIRRORBALL_CONFIG: other }
    expect((await loadConfig({ options: {}, environment })).data_dir).toBe('/other')
    expect((await load({ file: 'data_dir: /named', environment })).data_dir).toBe('/named')
  })

  test('that was named but is not there is a fault', async () => {
    const config = join(import.meta.dirname, 'missing.yaml')
    await expect(loadConfig({ options: { config }, environment: {} })).rejects.toThrow(`${config}: cannot be read`)
  })

  test.each([
    ['empty', ''],
    ['only a comment', '# nothing yet'],
    ['of sections without settings', 'origin:\nbucket:\n'],
  ])('may be %s', async (_, file) => {
    expect(await load({ file })).toEqual(await load())
  })

  test.each([
    ['no YAML', 'origin: [', /some\.yaml:1:10: is no YAML: Flow sequence/],
    ['a list', '- a\n- b', /some\.yaml: must be a mapping/],
    ['a text', 'hello', /some\.yaml: must be a mapping/],
    ['several documents', 'data_dir: /a\n---\ndata_dir: /b', /some\.yaml:2:1: is no YAML/],
    ['indented by tabs', 'log:\n\tlevel: info', /some\.yaml:2:1: is no YAML: Tabs/],
    ['tagged with what there is not', 'data_dir: !env HOME', /some\.yaml:1:11: is no YAML: Unresolved tag/],
    ['an alias of nothing', 'data_dir: *there', /some\.yaml: is no YAML: Unresolved alias/],
    ['an alias of itself', 'log: &log\n  level: *log', /^log\.level: must be one of .*; got .*Circular/],
    ['a text where a section belongs', 'edge: workerd', /edge: /],
    ['a list where a section belongs', 'origin: [1]', /^origin/],
  ])('that is %s is a fault', async (_, file, message) => {
    expect((await faults({ file })).join('\n')).toMatch(message)
  })

  test('sets no other section that has the same settings by an alias', async () => {
    const file = 'origin: &here\n  listen: 127.0.0.1:5\nbucket: *here'
    const config = await load({ file, environment: { MIRRORBALL_ORIGIN_LISTEN: '127.0.0.1:6' } })
    expect([config.origin.listen.port, config.bucket.listen.port]).toEqual([6, 5])
  })

  test('with a text where a section belongs is a fault also where the environment sets something in that section', async () => {
    const environment = { MIRRORBALL_EDGE_LISTEN: '127.0.0.1:5' }
    expect(await faults({ file: 'edge: workerd', environment })).toEqual([expect.stringContaining('edge: ')])
  })
})

describe('faults', () => {
  test('are told all at once, each with its name and what it got', async () => {
    const told = await faults({
      file: 'log:\n  level: loud\nhttp:\n  drain_ms: -1\nspare: 1',
      environment: { MIRRORBALL_ORIGIN_LISTEN: 'nowhere', MIRRORBALL_EDGE_RUNTIME: 'deno' },
      options: { 'bucket-url': 'ftp://example.com' },
    })
    expect(told.toSorted()).toEqual([
      expect.stringMatching(/^--bucket-url: must be an http\(s\) URL .*; got "ftp:\/\/example.com"$/),
      expect.stringMatching(
        /^MIRRORBALL_EDGE_RUNTIME: must be node or workerd; got "deno"; e\.g\. MIRRORBALL_EDGE_RUNTIME=node$/,
      ),
      expect.stringMatching(/^MIRRORBALL_ORIGIN_LISTEN: must be HOST:PORT, e\.g\. .*; got "nowhere"$/),
      expect.stringMatching(
        /^http\.drain_ms: must be a whole number from 0 to 3600000; got -1; e\.g\. drain_ms: 30000$/,
      ),
      expect.stringMatching(/^log\.level: must be one of .*; got "loud"; e\.g\. level: info$/),
      expect.stringMatching(/^spare: there is no such setting/),
    ])
  })

  test.each([
    ['a setting', 'data_dir: /a\nlog:\ndata_dir: /b', 'data_dir', '1 and 3'],
    ['a section', 'log:\n  level: info\nhttp:\nlog:\n', 'log', '1 and 4'],
    ['a setting in a section', 'log:\n  level: info\n  level: info', 'log.level', '2 and 3'],
    ['a setting three times', 'log: {level: info,\n  level: info,\n  level: info}', 'log.level', '1 and 2 and 3'],
  ])('are: %s given twice in the file, with both lines', async (_, file, key, lines) => {
    expect(await faults({ file })).toEqual([
      expect.stringMatching(`^${key}: is given more than once, in lines ${lines} of .*some\\.yaml$`),
    ])
  })

  test.each([
    ['nothing', '', 'nothing \\(to have the default, leave the line out\\)'],
    ['an empty text', "''", '""'],
    ['a list', '[1, 2]', '\\[ 1, 2 \\]'],
    ['a mapping', '{a: b}', "\\{ a: 'b' \\}"],
  ])('are: %s where a value belongs, whatever the setting', async (_, value, got) => {
    for (const { path, secret } of settings) {
      const [section = '', name] = path.split('.')
      const file = name === undefined ? `${section}: ${value}` : `${section}:\n  ${name}: ${value}`
      expect(await faults({ file })).toEqual([
        expect.stringMatching(`^${path}: must be .*; got ${secret ? '.* not shown.*' : got}(?:; e\\.g\\. .+)?$`),
      ])
    }
  })

  test('are told of the file and of the environment at once, the file being no YAML', async () => {
    const told = await faults({ file: 'log: [', environment: { MIRRORBALL_LOG_LEVEL: 'loud' } })
    expect(told).toEqual([
      expect.stringContaining('some.yaml:1:7: is no YAML'),
      expect.stringMatching(/^MIRRORBALL_LOG_LEVEL: /),
    ])
  })

  test('tell nothing secret of a URL', async () => {
    const file =
      'bucket:\n  url: https://u:sesame@example.com:99999/b?sig=sesame\nedge: https://sesame@example.com/#sesame'
    const told = await faults({ file })
    expect(told).toHaveLength(2)
    expect(told.join()).not.toContain('sesame')
  })

  test.each([': [sesame', ': !sesame x', ': *sesame', ': |sesame\n', ': "x" sesame', ': sesame\n- x', ': @sesame'])(
    'tell no part of the file where it is no YAML, as in key%j',
    async (rest) => {
      const told = await faults({ file: `key${rest}` })
      expect(told.join()).toContain('is no YAML')
      expect(told.join()).not.toContain('sesame')
    },
  )

  test('tell the beginning of what is too long', async () => {
    const [told = ''] = await faults({ environment: { MIRRORBALL_LOG_LEVEL: 'x'.repeat(100_000) } })
    expect(told).toContain('xxx…')
    expect(told.length).toBeLessThan(500)
  })

  test.each([
    ['at the top', 'orgin:\n  listen: 127.0.0.1:1', ['orgin']],
    ['in a section', 'origin:\n  listn: 127.0.0.1:1', ['origin.listn']],
    ['in several sections', 'origin:\n  listn: a\nedge:\n  runtme: b', ['edge.runtme', 'origin.listn']],
    ['several at the top', 'orgin: 1\nbuckt: 2', ['buckt', 'orgin']],
    ['several in a section', 'origin:\n  listn: a\n  port: 5', ['origin.listn', 'origin.port']],
    ['with the name of an inherited property', 'toString: 1', ['toString']],
  ])('are settings that there are not, %s', async (_, file, unknown) => {
    const told = await faults({ file })
    expect(told.map((line) => line.split(':')[0] ?? '').toSorted()).toEqual(unknown)
    for (const line of told) expect(line).toContain('there is no such setting')
  })

  test.each([
    ['MIRRORBALL_ORIGIN_LISTEN', '127.0.0.1'],
    ['MIRRORBALL_ORIGIN_LISTEN', ':1970'],
    ['MIRRORBALL_ORIGIN_LISTEN', '1970'],
    ['MIRRORBALL_ORIGIN_LISTEN', '127.0.0.1:65536'],
    ['MIRRORBALL_ORIGIN_LISTEN', '127.0.0.1:-1'],
    ['MIRRORBALL_ORIGIN_LISTEN', '::1:1970'],
    ['MIRRORBALL_ORIGIN_LISTEN', 'http://127.0.0.1:1970'],
    ['MIRRORBALL_ORIGIN_LISTEN', ''],
    ['MIRRORBALL_BUCKET_URL', 'bucket.example.com'],
    ['MIRRORBALL_BUCKET_URL', 'http://bucket.example.com/'],
    ['MIRRORBALL_BUCKET_URL', 'http://bucket.example.com/b?***'],
    ['MIRRORBALL_BUCKET_URL', 'http://bucket.example.com/b#***'],
    ['MIRRORBALL_BUCKET_URL', 'http://'],
    ['MIRRORBALL_BUCKET_URL', 'http://bucket.example.com:99999'],
    ['MIRRORBALL_BUCKET_URL', 'http://[::1'],
    ['MIRRORBALL_EDGE_ORIGIN_URL', 'http://origin.example.com/registry'],
    ['MIRRORBALL_EDGE_MEMORY_CACHE_MIB', '0'],
    ['MIRRORBALL_EDGE_MEMORY_CACHE_MIB', '65537'],
    ['MIRRORBALL_EDGE_MEMORY_CACHE_MIB', '1.5'],
    ['MIRRORBALL_EDGE_MEMORY_CACHE_MIB', '1e3'],
    ['MIRRORBALL_EDGE_MEMORY_CACHE_MIB', '0x10'],
    ['MIRRORBALL_EDGE_MEMORY_CACHE_MIB', ' 64'],
    ['MIRRORBALL_EDGE_MEMORY_CACHE_MIB', '64MiB'],
    ['MIRRORBALL_ACCESS_ANONYMOUS', 'Push'],
    ['MIRRORBALL_ACCESS_ANONYMOUS', 'delete'],
    ['MIRRORBALL_ACCESS_USERS', 'delete'],
    ['MIRRORBALL_ACCESS_RULES', 'alice'],
    ['MIRRORBALL_ACCESS_RULES', '[{"repositories":["a"],"rights":["pull"],"user":["alice"]}]'],
    ['MIRRORBALL_ACCESS_RULES', '[{"repositories":["a"],"rights":["admin"]}]'],
    ['MIRRORBALL_ACCESS_GROUPS', '[{"name":"@team","users":[]}]'],
    ['MIRRORBALL_ACCESS_SERVICE', 'two words'],
    ['MIRRORBALL_LOG_LEVEL', 'INFO'],
    ['MIRRORBALL_LOG_LEVEL', ''],
    ['MIRRORBALL_ACCESS_DELETE', 'yes'],
    ['MIRRORBALL_DATA_DIR', ''],
    ['MIRRORBALL_BUCKET_REGION', ''],
    ['MIRRORBALL_HTTP_DRAIN_MS', ''],
  ])('are: %s=%s, and the fault says what it got', async (variable, value) => {
    expect(await faults({ environment: { [variable]: value } })).toEqual([
      expect.stringMatching(
        new RegExp(
          `^${variable}: must (?:be|have) .*; got ${escaped(JSON.stringify(value))}(?:; e\\.g\\. ${variable}=.+)?$`,
        ),
      ),
    ])
  })

  test.each(['1', '65536'])('are not %s MiB of memory, the least and the most', async (value) => {
    expect((await load({ environment: { MIRRORBALL_EDGE_MEMORY_CACHE_MIB: value } })).edge.memory_cache_mib).toBe(
      Number(value),
    )
  })

  test('are counted in the headline', () => {
    expect(new ConfigError(['a']).message).toBe('the configuration has a fault:\n  a')
    expect(new ConfigError(['a', 'b']).message).toBe('the configuration has 2 faults:\n  a\n  b')
  })
})

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
