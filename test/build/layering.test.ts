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

/** What the two checks of `npm run check` that look at imports say of the tree with some more files. */
async function checkWith(files: ReadonlyMap<string, string>): Promise<string> {
  const paths = [...files.keys()].map((file) => join(copy, file))
  for (const [file, content] of files) await writeFile(join(copy, file), content)
  try {
    const program = (name: string) => join(projectFolder, 'node_modules', name)
    const said = await Promise.all([
      failure(program('typescript/bin/tsc'), ['-b']),
      failure(program('oxlint/bin/oxlint'), ['--deny-warnings', 'shared', 'worker', 'origin']),
    ])
    return said.join('')
  } finally {
    for (const path of paths) await rm(path)
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

/** Who, a folder of theirs, and what they may not import: a file, and a name in it. */
const imports = [
  ['shared', 'shared/edge', '../../worker/kv-cache.ts', 'createKvCache'],
  ['shared', 'shared/http', '../../origin/bucket/fs-bucket.ts', 'createFsBucket'],
  ['worker', 'worker', '../origin/bucket/fs-bucket.ts', 'createFsBucket'],
  ['origin', 'origin/process', '../../worker/kv-cache.ts', 'createKvCache'],
  ['protocol', 'shared/protocol', '../registry/links.ts', 'readTag'],
  ['ports', 'shared/ports', '../registry/links.ts', 'readTag'],
  ['what waits', 'shared/concurrency', '../registry/links.ts', 'readTag'],
  ['registry', 'shared/registry', '../http/routes.ts', 'parseRoute'],
  ['what reads IPFS', 'shared/ipfs', '../registry/links.ts', 'readTag'],
  ['http', 'shared/http', '../edge/decide.ts', 'decideContent'],
  // The libraries of IPFS would make the worker many times as large.
  ['the edge', 'shared/edge', '../ipfs/cid.ts', 'cidText'],
  ['the worker', 'worker', '../shared/ipfs/cid.ts', 'cidText'],
  ['an adapter of origin', 'origin/bucket', '../config/load.ts', 'loadConfig'],
  ['an adapter of IPFS', 'origin/ipfs/kubo', '../../config/load.ts', 'loadConfig'],
  ['what speaks HTTP', 'origin/http', '../process/service.ts', 'runService'],
  ['what is composed', 'origin/compose', '../verbs/run-verb.ts', 'runVerb'],
  ['the configuration', 'origin/config', '../process/service.ts', 'runService'],
] as const

const calls = [
  'Date.now()',
  'Math.random()',
  'crypto.randomUUID()',
  'setTimeout(() => {}, 1)',
  'AbortSignal.timeout(1)',
] as const

const importing = (at: number) => `${imports[at]?.[1]}/probe-import-${at}.ts`
const calling = (at: number) => `shared/registry/probe-call-${at}.ts`
const typeFile = 'shared/ports/probe-type.ts'

describe('layering', () => {
  test('the tree as it is passes', async () => {
    const files = new Map([['shared/protocol/probe.ts', "// Nothing.\nexport const probe = 'probe'\n"]])
    expect(await checkWith(files)).toBe('')
  })

  describe('a tree with all that is wrong', () => {
    let said: readonly string[]
    const saidOf = (file: string) => said.filter((line) => line.includes(file)).join('\n')

    // At once: each check looks at the whole tree.
    beforeAll(async () => {
      const files = new Map([
        ...imports.map(([, , target, name], at) => [importing(at), `export { ${name} } from '${target}'\n`] as const),
        ...calls.map((call, at) => [calling(at), `export const probe = () => ${call}\n`] as const),
        [typeFile, "export type { Config } from '../../origin/config/schema.ts'\n"] as const,
      ])
      said = (await checkWith(files)).split('\n')
    })

    test.each(imports.map((row, at) => [...row, at] as const))(
      '%s in %s may not import %s → %s',
      (_1, _2, _3, _4, at) => {
        expect(saidOf(importing(at))).not.toBe('')
      },
    )

    test('nor may a type go where its value may not', () => {
      expect(saidOf(typeFile)).toContain('TS6307')
    })

    test.each(calls.map((call, at) => [call, at] as const))(
      'shared takes time and chance as ports: %s is refused',
      (_, at) => {
        expect(saidOf(calling(at))).not.toBe('')
      },
    )
  })
})
