// The verbs for personal access tokens and for the file of users, as a person runs them.

import { spawn } from 'node:child_process'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createFolderRecords } from '../../origin/accounts/folder-records.ts'
import { ConfigError } from '../../origin/config/config-error.ts'
import { openAccounts } from '../../origin/compose/accounts.ts'
import { load } from '../unit/config-sources.ts'
import { silentLog } from '../support/silent-log.ts'
import { cliFile, temporaryFolder } from '../support/stack.ts'
import { type Ended, linesOf, runVerb } from '../support/verbs.ts'

const wait = new AbortController()
const dayMs = 24 * 3600_000

let folder: { path: string; remove: () => Promise<void> }

beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(() => folder.remove())

const token = (...args: readonly string[]) => runVerb(folder.path, 'token', ...args)
const accountsOf = async (htpasswd?: string) =>
  openAccounts(
    await load({
      options: { 'data-dir': folder.path, ...(htpasswd === undefined ? {} : { 'access-htpasswd': htpasswd }) },
    }),
    createFolderRecords(join(folder.path, 'accounts')),
    silentLog,
  )
interface Listed {
  readonly id: string
  readonly created: string
  readonly expires?: string
}
const listed = async () => JSON.parse((await token('list', '--json')).stdout) as Listed[]

describe('token create', () => {
  test('prints the token alone, says the rest beside it, and lets its user in at once', async () => {
    const accounts = await accountsOf()
    const limits = ['--limit', 'team/**:pull,push', '--limit=library/*:pull']
    const { code, stdout, stderr } = await token('create', '--user', 'alice', '--name', 'ci, at night', ...limits)
    expect(code).toBe(0)
    expect(stdout).toMatch(/^mbp_[a-z2-7]{12}_[0-9A-Za-z]{49}\n$/)
    const text = stdout.trim()
    expect(stderr).toMatch(/^token [a-z2-7]{12} of alice may do team\/\*\*:pull,push library\/\*:pull; it expires at 2/)
    expect(stderr).not.toContain(text.slice(17))
    const [id = ''] = /[a-z2-7]{12}/.exec(text) ?? []
    const account = {
      user: 'alice',
      credential: `token:${id}`,
      limits: [
        { repositories: 'team/**', rights: ['pull', 'push'] },
        { repositories: 'library/*', rights: ['pull'] },
      ],
    }
    expect(await accounts.authenticate('alice', text, wait)).toEqual(account)

    const lines = await linesOf(token('list'))
    expect(lines.map((line) => line.split('\t'))).toEqual([
      [
        id,
        'alice',
        'ci, at night',
        'team/**:pull,push library/*:pull',
        expect.stringMatching(/^2.*Z$/),
        expect.stringMatching(/^2.*Z$/),
        expect.stringMatching(/^2.*Z$/),
      ],
    ])
    expect(await linesOf(token('revoke', id))).toEqual([`revoked ${id}`])
    expect(await accounts.authenticate('alice', text, wait)).toBeUndefined()
    expect(await accounts.find('alice', account.credential, wait)).toBeUndefined()
    expect(await token('list')).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(await listed()).toEqual([])
  })

  test.each([
    [[], 90],
    [['--expires-days', '1'], 1],
    [['--expires-days=3650'], 3650],
    [['--expires-days', 'never'], undefined],
  ])('with %j it expires after %s days', async (args, days) => {
    expect((await token('create', '--user', 'alice', ...args)).code).toBe(0)
    const [{ created, expires } = { created: '' }] = await listed()
    if (days === undefined) expect(expires).toBeUndefined()
    else expect(Date.parse(expires ?? '') - Date.parse(created)).toBe(days * dayMs)
    expect((await linesOf(token('list')))[0]?.split('\t')[5]).toBe(expires ?? 'never')
  })

  test.each([
    [[], '--user: must be set'],
    [['--user', ''], '--user: must have 1 to 128'],
    [['--user', 'a:b'], '--user: must have 1 to 128'],
    [['--user', 'alice', '--name', 'a\tb'], '--name: must have 1 to 128 characters'],
    [['--user', 'alice', '--limit', 'team/**'], '--limit: must be a pattern'],
    [['--user', 'alice', '--limit', 'team/**:pull', '--limit', 'x:own'], 'got "x:own"'],
    [['--user', 'alice', '--limit', 'team/**:'], '--limit: must be a pattern'],
    [['--user', 'alice', '--limit', 'Team:pull'], '--limit: must be a pattern'],
    [['--user', 'alice', '--limit', 'a,b:pull'], '--limit: must be a pattern'],
    [['--user', 'alice', '--limit='], '--limit: must be a pattern'],
    [['--user', 'alice', '--limits', 'x:pull'], '--limits: there is no such option'],
    [['--user', 'alice', '--expires-days', '0'], '--expires-days: must be a whole number from 1 to 3650, or never'],
    [['--user', 'alice', '--expires-days', '3651'], '--expires-days: must be'],
    [['--user', 'alice', '--expires-days', '1.5'], '--expires-days: must be'],
    [['alice'], 'there is no argument alice'],
  ])('with %j it makes none and says why', async (args, message) => {
    const ended = await token('create', ...args)
    expect(ended).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining(message) as string })
    expect(await readdir(folder.path)).toEqual([])
  })
})

describe('token list', () => {
  test('tells which have expired and which files are damaged, and nothing secret', async () => {
    const made = await linesOf(token('create', '--user', 'alice'))
    await token('create', '--user', 'bob')
    const [first, second] = await listed()
    const fileOf = (id = '') => join(folder.path, 'accounts', 'tokens', `${id}.json`)
    const content = await readFile(fileOf(first?.id), 'utf8')
    await writeFile(fileOf(first?.id), content.replace(/"expires": "[^"]+"/, '"expires": "2026-01-01T00:00:00.000Z"'))
    await writeFile(fileOf(second?.id), 'sesame')
    const { code, stdout, stderr } = await token('list')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^[^\n]*\t2026-01-01T00:00:00.000Z \(expired\)\tnever\n$/)
    expect(stderr).toBe(
      `mirrorball: ${fileOf(second?.id)} is damaged, or of a later version; its token is refused. mirrorball token revoke removes it\n`,
    )
    expect(await (await accountsOf()).authenticate('alice', made[0] ?? '', wait)).toBeUndefined()
    const { stdout: json } = await token('list', '--json')
    expect(JSON.parse(json)).toMatchObject([{ id: first?.id, expired: true }])
    expect(json).not.toMatch(/[0-9a-f]{64}|secret/)
  })
})

describe('token revoke', () => {
  test('takes the token itself for its id, and never shows it', async () => {
    const [text = ''] = await linesOf(token('create', '--user', 'alice'))
    const ended = await token('revoke', text)
    expect(ended).toEqual({ code: 0, stdout: `revoked ${text.slice(4, 16)}\n`, stderr: '' })
    const again = await token('revoke', text)
    expect(again).toMatchObject({ code: 1, stdout: '' })
    expect(again.stderr).toContain(`there is no token ${text.slice(4, 16)} in `)
    expect(again.stderr).toContain('mirrorball token list')
    expect(again.stderr).not.toContain(text.slice(17))
  })

  test.each(['../../x', 'alice', 'mbp_abcdefgh2345_sesame'])('says of %j that it is no id', async (id) => {
    expect(await token('revoke', id)).toEqual({
      code: 1,
      stdout: '',
      stderr: 'mirrorball: this is no id of a token; mirrorball token list shows them\n',
    })
  })

  test('ends one that is damaged', async () => {
    await mkdir(join(folder.path, 'accounts', 'tokens'), { recursive: true })
    await writeFile(join(folder.path, 'accounts', 'tokens', 'abcdefgh2345.json'), 'sesame')
    expect((await token('revoke', 'abcdefgh2345')).code).toBe(0)
    expect(await readdir(join(folder.path, 'accounts', 'tokens'))).toEqual([])
  })
})

/** Runs `user hash` with this on its standard input. */
async function userHash(args: readonly string[], input: string): Promise<Ended> {
  const child = spawn(process.execPath, [cliFile, 'user', 'hash', ...args], { cwd: folder.path })
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name].on('data', (chunk: Buffer) => {
      said[name] += chunk.toString()
    })
  // It may end without reading it.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const code = await new Promise<number>((done) => child.on('close', (code) => done(code ?? -1)))
  return { code, ...said }
}

describe('user hash', () => {
  test('prints a line that lets its user in', async () => {
    const { code, stdout, stderr } = await userHash(['--user', 'alice'], 'correct hörse\n')
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^alice:\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}\n$/)
    await writeFile(join(folder.path, 'htpasswd'), stdout)
    const accounts = await accountsOf(join(folder.path, 'htpasswd'))
    expect(await accounts.authenticate('alice', 'correct hörse', wait)).toMatchObject({ user: 'alice' })
    expect(await accounts.authenticate('alice', 'correct horse', wait)).toBeUndefined()
  })

  test.each([
    [['--user', 'alice'], 'sesame1', 'at least 8 characters'],
    [['--user', 'alice'], '', 'at least 8 characters'],
    [['--user', 'alice'], 'sesame-open\0', 'no NUL'],
    [['--user', 'alice'], 'sesame-open'.repeat(100), 'at most 1024 bytes'],
    [['--user', 'alice'], 'mbp_sesame-open', 'must not begin like a personal access token'],
    [['--user', 'a:b'], 'sesame-open', '--user: must have 1 to 128'],
    [[], 'sesame-open', '--user: must be set'],
    [['--user', 'alice', 'sesame-open'], '', 'the password is asked for'],
    [['--user', 'alice', '--password', 'sesame-open'], '', 'the password is asked for'],
    [['--user', 'alice', '--password=sesame-open'], '', 'the password is asked for'],
  ])('with %j and %j prints none, says why, and does not show the password', async (args, input, message) => {
    const ended = await userHash(args, input)
    expect(ended).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining(message) as string })
    expect(ended.stderr).not.toContain('sesame')
  })
})

test('a file of users that is at fault is a fault of the configuration, and is told without a hash', async () => {
  const file = join(folder.path, 'htpasswd')
  await writeFile(file, 'alice:$apr1$x097i2IT$s3LywNB9P3a/PPLhP4B2g1\nbob:sesame\n')
  const error: unknown = await accountsOf(file).catch((error: unknown) => error)
  expect(error).toBeInstanceOf(ConfigError)
  expect(String(error)).toContain(`2 faults:\n  access.htpasswd: ${file}:1: user alice has an MD5 hash`)
  expect(String(error)).not.toMatch(/sesame|x097i2IT/)
})
