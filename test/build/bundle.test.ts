// The command line as one bundle for each state of the sources.

import { execFile } from 'node:child_process'
import { mkdir, stat, utimes, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { temporaryFolder } from '../support/stack.ts'

const { bundle } = createRequire(import.meta.url)('../../bin/bundle.cjs') as {
  bundle: (root: string, program: string) => string
}
const day = 24 * 3600

let project: { path: string; remove: () => Promise<void> }

beforeEach(async () => {
  project = await temporaryFolder()
  await mkdir(join(project.path, 'origin'))
  await mkdir(join(project.path, 'shared'))
  await writeFile(join(project.path, 'package-lock.json'), '{}')
  await writeFile(join(project.path, 'shared/word.ts'), 'export const word: string = "first"\n')
  await writeFile(join(project.path, 'origin/main.ts'), 'import { word } from "../shared/word.ts"\nconsole.log(word)\n')
})

afterEach(() => project.remove())

const bundled = () => bundle(project.path, 'origin/main.ts')
const outputOf = async (file: string) => (await promisify(execFile)(process.execPath, [file])).stdout

test('runs like the sources, and is made once', async () => {
  const file = bundled()
  expect(await outputOf(file)).toBe('first\n')
  const { mtimeMs } = await stat(file)
  expect(bundled()).toBe(file)
  expect((await stat(file)).mtimeMs).toBe(mtimeMs)
})

test('is another one once a source or the dependencies changed', async () => {
  const first = bundled()
  await writeFile(join(project.path, 'shared/word.ts'), 'export const word: string = "changed"\n')
  const changed = bundled()
  expect([changed === first, await outputOf(changed), await outputOf(first)]).toEqual([false, 'changed\n', 'first\n'])
  await writeFile(join(project.path, 'package-lock.json'), '{"lockfileVersion":3}')
  expect([first, changed]).not.toContain(bundled())
})

test('is removed once nobody started it for a month, when another is made', async () => {
  const [old, used] = [bundled(), await changedBundle('used')]
  const now = Date.now() / 1000
  await utimes(dirname(old), now - 31 * day, now - 31 * day)
  await utimes(dirname(used), now - 29 * day, now - 29 * day)
  await changedBundle('new')
  await expect(stat(old)).rejects.toThrow('ENOENT')
  expect((await stat(used)).isFile()).toBe(true)
})

async function changedBundle(word: string): Promise<string> {
  await writeFile(join(project.path, 'shared/word.ts'), `export const word: string = ${JSON.stringify(word)}\n`)
  return bundled()
}
