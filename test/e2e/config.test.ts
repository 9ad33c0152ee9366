// `mirrorball config print` and `mirrorball config schema`, and misspelt verbs, as a person runs them.

import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { parse as parseYaml } from 'yaml'
import { projectFolder, temporaryFolder } from '../support/stack.ts'

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs the program to its end in a folder with this `mirrorball.yaml`. */
async function mirrorball(
  args: readonly string[],
  file = '',
  environment: Record<string, string> = {},
): Promise<Ended> {
  const folder = await temporaryFolder()
  onTestFinished(folder.remove)
  await writeFile(join(folder.path, 'mirrorball.yaml'), file)
  const program = join(projectFolder, 'bin/mirrorball.cjs')
  const options = { cwd: folder.path, env: { ...process.env, NO_COLOR: '1', ...environment } }
  return new Promise((done) => {
    const child = execFile(process.execPath, [program, ...args], options, (_, stdout, stderr) =>
      done({ code: child.exitCode ?? -1, stdout, stderr }),
    )
  })
}

describe('config print', () => {
  test('prints what is in effect in this folder, and where it came from', async () => {
    const file = 'log:\n  level: warn\nbucket:\n  url: http://user:sesame@example.com/b'
    const ended = await mirrorball(['config', 'print', '--edge', 'workerd'], file, { MIRRORBALL_DATA_DIR: '/srv' })
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    expect(ended.stdout).toContain('data_dir: /srv # variable MIRRORBALL_DATA_DIR\n')
    expect(ended.stdout).toContain('  level: warn # file mirrorball.yaml\n')
    expect(ended.stdout).toContain('  runtime: workerd # option --edge\n')
    expect(ended.stdout).toContain('  url: http://***@example.com/b # file mirrorball.yaml\n')
    expect(ended.stdout).not.toContain('sesame')
    expect(parseYaml(ended.stdout)).toMatchObject({ data_dir: '/srv', http: { drain_ms: 30_000 } })
  })

  test('prints the faults instead, all of them, and ends with 1', async () => {
    const ended = await mirrorball(['config', 'print', '--orgin-listen', 'a'], 'spare: 1', { MIRRORBALL_EDGE: 'node' })
    expect(ended).toEqual({
      code: 1,
      stdout: '',
      stderr: `mirrorball: the configuration has 3 faults:
  --orgin-listen: there is no such option; did you mean --origin-listen?
  MIRRORBALL_EDGE: there is no such variable; did you mean MIRRORBALL_EDGE_RUNTIME?
  spare: there is no such setting; see docs/settings.md
`,
    })
  })
})

describe('config schema', () => {
  test('prints a JSON Schema, whatever the configuration is', async () => {
    const ended = await mirrorball(['config', 'schema'], 'spare: 1')
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(ended.stdout)).toMatchObject({
      $schema: 'http://json-schema.org/draft-07/schema#',
      properties: { origin: { properties: { listen: { default: '127.0.0.1:1970' } } } },
    })
  })

  test('takes no options', async () => {
    const ended = await mirrorball(['config', 'schema', '--edge', 'node'])
    expect(ended).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('takes no options') as string })
  })
})

const verbs =
  'up, bucket, origin, edge, cid, export, import, publish, block, unblock, blocked, swarm, token, user, config, doctor, deploy'

describe('help', () => {
  test.each([
    [['--help'], verbs.replaceAll(', ', '|')],
    [['help'], verbs.replaceAll(', ', '|')],
    [['config', '--help'], 'mirrorball config print|schema'],
    [['config', 'print', '--help'], 'mirrorball config print [OPTIONS]'],
    [['config', 'schema', '-h'], 'mirrorball config schema'],
    [['origin', '--help'], '--origin-listen'],
    [['export', '--help'], 'mirrorball export [OPTIONS] <IMAGE> <FILE>'],
    [['token', '--help'], 'mirrorball token create|list|revoke|rotate-key'],
    [['token', 'rotate-key', '--help'], '--lost'],
    [['token', 'revoke', '--help'], 'mirrorball token revoke [OPTIONS] <ID>'],
    [['user', 'hash', '--help'], '--user'],
    [['import', '--help'], 'mirrorball import [OPTIONS] <FILE> [IMAGE]'],
  ])('is there for %j', async (args, text) => {
    const ended = await mirrorball(args)
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    expect(ended.stdout).toContain(text)
  })
})

test.each([
  [[], `say which: ${verbs}`],
  [['config'], 'say which: print, schema'],
  [['--data-dir', '/a'], `say which: ${verbs}`],
  [['orgin'], `there is no verb orgin; did you mean origin? there are ${verbs}`],
  [['toString'], `there is no verb toString; there are ${verbs}`],
  [['config', 'prnt'], 'there is no verb prnt; did you mean print? there are print, schema'],
])('without a verb that there is, as with %j, it says which there are', async (args, message) => {
  expect(await mirrorball(args)).toEqual({ code: 1, stdout: '', stderr: `mirrorball: ${message}\n` })
})
