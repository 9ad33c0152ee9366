// A wrong import must fail `npm run check`. Tried on a copy of the tree, with one such import in it at a time.

import { cp, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { execFile } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { projectFolder } from '../support/stack.ts'

let copy: string

beforeAll(async () => {
  copy = await mkdtemp(join(tmpdir(), 'mirrorball-layering-'))
  for (const name of [
    'shared',
    'worker',
    'origin',
    'tools',
    'tsconfig.base.json',
    '.oxlintrc.json',
    'package.json',
    '.gitignore',
  ]) {
    await cp(join(projectFolder, name), join(copy, name), { recursive: true })
  }
  await symlink(join(projectFolder, 'node_modules'), join(copy, 'node_modules'))
  // The copy has no tests, and the check of types needs none.
  await writeFile(
    join(copy, 'tsconfig.json'),
    JSON.stringify({ files: [], references: ['shared', 'worker', 'origin'].map((path) => ({ path })) }),
  )
})

afterAll(() => rm(copy, { recursive: true }))

/** What the two checks of `npm run check` that look at imports say of the tree with one more file. */
async function checkWith(file: string, content: string): Promise<string> {
  const path = join(copy, file)
  await writeFile(path, content)
  try {
    const program = (name: string) => join(projectFolder, 'node_modules', name)
    const said = await Promise.all([
      failure(program('typescript/bin/tsc'), ['-b']),
      failure(program('oxlint/bin/oxlint'), ['--deny-warnings', 'shared', 'worker', 'origin']),
    ])
    return said.join('')
  } finally {
    await rm(path)
  }
}

/** What a program printed if it failed; nothing if it did not. */
async function failure(program: string, args: readonly string[]): Promise<string> {
  try {
    await promisify(execFile)(process.execPath, [program, ...args], { cwd: copy, maxBuffer: 16 * 1024 * 1024 })
    return ''
  } catch (error) {
    return (error as { stdout: string }).stdout
  }
}

describe('layering', () => {
  test('the tree as it is passes', async () => {
    expect(await checkWith('shared/protocol/probe.ts', "// Nothing.\nexport const probe = 'probe'\n")).toBe('')
  })

  test.each([
    ['shared', 'shared/edge/probe.ts', '../../worker/kv-cache.ts', 'createKvCache'],
    ['shared', 'shared/http/probe.ts', '../../origin/bucket/fs-bucket.ts', 'createFsBucket'],
    ['worker', 'worker/probe.ts', '../origin/bucket/fs-bucket.ts', 'createFsBucket'],
    ['origin', 'origin/process/probe.ts', '../../worker/kv-cache.ts', 'createKvCache'],
    ['protocol', 'shared/protocol/probe.ts', '../registry/links.ts', 'readTag'],
    ['ports', 'shared/ports/probe.ts', '../registry/links.ts', 'readTag'],
    ['what waits', 'shared/concurrency/probe.ts', '../registry/links.ts', 'readTag'],
    ['registry', 'shared/registry/probe.ts', '../http/routes.ts', 'parseRoute'],
    ['what reads IPFS', 'shared/ipfs/probe.ts', '../registry/links.ts', 'readTag'],
    ['http', 'shared/http/probe.ts', '../edge/decide.ts', 'decideContent'],
    // The libraries of IPFS would make the worker many times as large.
    ['the edge', 'shared/edge/probe.ts', '../ipfs/cid.ts', 'cidText'],
    ['the worker', 'worker/probe.ts', '../shared/ipfs/cid.ts', 'cidText'],
    ['an adapter of origin', 'origin/bucket/probe.ts', '../config/load.ts', 'loadConfig'],
    ['an adapter of IPFS', 'origin/ipfs/kubo/probe.ts', '../../config/load.ts', 'loadConfig'],
    ['what speaks HTTP', 'origin/http/probe.ts', '../process/service.ts', 'runService'],
    ['what is composed', 'origin/compose/probe.ts', '../verbs/run-verb.ts', 'runVerb'],
    ['the configuration', 'origin/config/probe.ts', '../process/service.ts', 'runService'],
  ])('%s may not import %s → %s', async (_, file, target, name) => {
    expect(await checkWith(file, `export { ${name} } from '${target}'\n`)).toContain('probe.ts')
  })

  test('nor may a type go where its value may not', async () => {
    const said = await checkWith(
      'shared/ports/probe.ts',
      "export type { Config } from '../../origin/config/schema.ts'\n",
    )
    expect(said).toContain('TS6307')
  })

  test.each([
    'Date.now()',
    'Math.random()',
    'crypto.randomUUID()',
    'setTimeout(() => {}, 1)',
    'AbortSignal.timeout(1)',
  ])('shared takes time and chance as ports: %s is refused', async (call) => {
    expect(await checkWith('shared/registry/probe.ts', `export const probe = () => ${call}\n`)).toContain('probe.ts')
  })
})
