// The identity of the embedded IPFS node: made once, for its owner's eyes only, and one for all who start at once.

import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { swarmKey } from '../../origin/accounts/swarm-key.ts'
import { temporaryFolder } from '../support/stack.ts'

let folder: { path: string; remove: () => Promise<void> }
let file: string

beforeEach(async () => {
  folder = await temporaryFolder()
  file = join(folder.path, 'accounts', 'swarm-key')
})
afterEach(() => folder.remove())

test('a key that is missing is made, and is the same at the next start', async () => {
  const key = await swarmKey(file)
  expect(key.byteLength).toBe(32)
  expect(Buffer.from(await swarmKey(file))).toEqual(Buffer.from(key))
})

test('it is another in another folder', async () => {
  expect(await swarmKey(file)).not.toEqual(await swarmKey(join(folder.path, 'second', 'swarm-key')))
})

test('it is readable by its owner alone', async () => {
  await swarmKey(file)
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  expect((await stat(dirname(file))).mode & 0o777).toBe(0o700)
})

test('all who start at once have the one in the file', async () => {
  const keys = await Promise.all(Array.from({ length: 20 }, () => swarmKey(file)))
  const texts = new Set(keys.map((key) => Buffer.from(key).toString('base64url')))
  expect([...texts]).toEqual([(await readFile(file, 'utf8')).trim()])
  expect(await readdir(dirname(file))).toEqual(['swarm-key'])
})

test.each([
  ['empty', ''],
  ['a byte short', Buffer.alloc(31).toString('base64url')],
  ['a byte long', Buffer.alloc(33).toString('base64url')],
  ['no base64url', '!'.repeat(43)],
  ['followed by more', `${Buffer.alloc(32).toString('base64url')}\nmore`],
])('a file that is %s is damaged: the error names it, and it is not replaced', async (_, content) => {
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, content)
  await expect(swarmKey(file)).rejects.toThrow(`${file} is damaged`)
  expect(await readFile(file, 'utf8')).toBe(content)
})
