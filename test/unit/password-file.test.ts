// The file of users: what is wrong with it is said at the start, and later on the users from before stay.

import { rename, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openPasswordFile, PasswordFileError } from '../../origin/accounts/password-file.ts'
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts'
import { createRecordingLog, type RecordingLog } from '../support/recording-log.ts'
import { temporaryFolder } from '../support/stack.ts'

const bcryptHash = '$2y$04$ZCCARQ0u0lrsegjLwEBs7.sk/VxHZKn8W4QGWqhijLLHupdzCUiwS'
const argonHash = '$argon2id$v=19$m=1024,t=1,p=4$MDEyMzQ1Njc4OWFiY2RlZg$x0Lzu2K+v3fnJ0zY5qHlhCiye1bxm4Zm'

let folder: { path: string; remove: () => Promise<void> }
let file: string
let clock: FakeClock
let log: RecordingLog

beforeEach(async () => {
  folder = await temporaryFolder()
  file = join(folder.path, 'htpasswd')
  clock = createFakeClock()
  log = createRecordingLog()
})
afterEach(() => folder.remove())

const open = () => openPasswordFile({ file, clock, log })
async function faults(content: string | Uint8Array): Promise<readonly string[]> {
  await writeFile(file, content)
  const error: unknown = await open().catch((error: unknown) => error)
  if (!(error instanceof PasswordFileError)) throw new Error(`no fault: ${String(error)}`)
  return error.faults
}

describe('at the start', () => {
  test('users of both kinds are taken, with comments, empty lines and line ends of either kind', async () => {
    await writeFile(
      file,
      `\uFEFF# users\r\n\nalice:${bcryptHash}\r\n   \nbob@example.com:${argonHash}\nrobot$ci:${bcryptHash}\nämilie:${bcryptHash}`,
    )
    const users = await (await open()).users()
    expect([...users].map(([user, { kind }]) => [user, kind])).toEqual([
      ['alice', 'bcrypt'],
      ['bob@example.com', 'argon2id'],
      ['robot$ci', 'bcrypt'],
      ['ämilie', 'bcrypt'],
    ])
  })

  test('a file without users is one', async () => {
    await writeFile(file, '')
    expect((await (await open()).users()).size).toBe(0)
  })

  test('all faults are told, by line and user, with what to do, and no hash is', async () => {
    const md5 = '$apr1$x097i2IT$s3LywNB9P3a/PPLhP4B2g1'
    const found = await faults(
      [
        `alice:${md5}`,
        `bob:${bcryptHash}`,
        bcryptHash,
        `bob:${argonHash}`,
        `a b:${argonHash}`,
        `${bcryptHash}:carol`,
        ':x',
        'dave:sesame',
      ].join('\n'),
    )
    const name = 'a user name must have 1 to 128 letters, digits and . _ @ + $ -, and begin with a letter, a digit or _'
    expect(found).toEqual([
      `${file}:1: user alice has an MD5 hash; only bcrypt and argon2id are taken; a good line is made by \`mirrorball user hash --user alice\` or \`htpasswd -nB alice\``,
      `${file}:3: must be a user name, a colon and a hash`,
      `${file}:4: user bob is there more than once`,
      `${file}:5: ${name}`,
      `${file}:6: ${name}`,
      `${file}:7: ${name}`,
      expect.stringContaining(`${file}:8: user dave has a password in plain text`),
    ])
    for (const secret of [md5, bcryptHash, argonHash, 'sesame']) expect(found.join('\n')).not.toContain(secret)
  })

  test('a file that is not there, is a folder, or no UTF-8, is a fault', async () => {
    await expect(open()).rejects.toThrow(/htpasswd cannot be read: ENOENT/)
    expect(await faults(Buffer.from([0x61, 0xe4, 0x3a]))).toEqual([`${file} is no UTF-8`])
    file = folder.path
    await expect(open()).rejects.toThrow('it is no file')
  })
})

describe('later on', () => {
  const names = async (users: Promise<ReadonlyMap<string, unknown>>) => [...(await users).keys()]

  test('a file that changed is read again, and looked at once a second at most', async () => {
    await writeFile(file, `alice:${bcryptHash}`)
    const opened = await open()
    await writeFile(file, `alice:${bcryptHash}\nbob:${bcryptHash}`)
    clock.advance(999)
    expect(await names(opened.users())).toEqual(['alice'])
    clock.advance(1)
    expect(await Promise.all([names(opened.users()), names(opened.users())])).toEqual([
      ['alice', 'bob'],
      ['alice', 'bob'],
    ])
    expect(log.lines).toMatchObject([{ level: 'info', fields: { users: 2 } }])
  })

  test('so is one that another was put in the place of, of the same size and time', async () => {
    const at = new Date(clock.now())
    await writeFile(file, `alice:${bcryptHash}`)
    await utimes(file, at, at)
    const opened = await open()
    await writeFile(`${file}.new`, `carol:${bcryptHash}`)
    await utimes(`${file}.new`, at, at)
    await rename(`${file}.new`, file)
    clock.advance(1000)
    expect(await names(opened.users())).toEqual(['carol'])
  })

  test('a broken version leaves the users from before, is told once, and does not stop a good one', async () => {
    await writeFile(file, `alice:${bcryptHash}`)
    const opened = await open()
    await writeFile(file, `alice:${bcryptHash.slice(0, 20)}`)
    for (let time = 0; time < 3; time++) {
      clock.advance(1000)
      expect(await names(opened.users())).toEqual(['alice'])
    }
    expect(log.lines).toMatchObject([{ level: 'error' }])
    expect(String(log.lines[0]?.error)).toContain('user alice has a bcrypt hash that is damaged')
    expect(JSON.stringify(log.lines) + String(log.lines[0]?.error)).not.toContain(bcryptHash.slice(0, 20))
    await writeFile(file, `bob:${bcryptHash}`)
    clock.advance(1000)
    expect(await names(opened.users())).toEqual(['bob'])
  })

  test('so does one that is gone, until it is back', async () => {
    await writeFile(file, `alice:${bcryptHash}`)
    const opened = await open()
    await rm(file)
    for (let time = 0; time < 3; time++) {
      clock.advance(1000)
      expect(await names(opened.users())).toEqual(['alice'])
    }
    expect(log.lines).toMatchObject([{ level: 'error' }])
    await writeFile(file, '')
    clock.advance(1000)
    expect(await names(opened.users())).toEqual([])
  })
})
