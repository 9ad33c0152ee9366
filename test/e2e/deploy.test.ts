// `mirrorball deploy`: looks at a worker before it is deployed, and deploys nothing.

import { copyFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { DeployStep } from '../../origin/deploy/deploy-steps.ts'
import type { Outcome } from '../../origin/doctor/check.ts'
import { projectFolder, temporaryFolder } from '../support/stack.ts'
import { runVerb } from '../support/verbs.ts'

let folder: { path: string; remove: () => Promise<void> }

beforeAll(async () => {
  folder = await temporaryFolder()
})
afterAll(() => folder.remove())

const s3Url = 'https://0123456789abcdef.r2.cloudflarestorage.com/images'

const origin = Object.entries({
  'bucket-s3-url': s3Url,
  'bucket-access-key-id': 'writer',
  'bucket-secret-access-key': 'a-secret-of-tests',
  'access-anonymous': 'pull',
  'access-delete': 'false',
}).flatMap(([name, value]) => [`--${name}`, value])

test('says what of the file as it comes has to be filled in', async () => {
  const file = join(folder.path, 'wrangler.toml')
  await copyFile(join(projectFolder, 'wrangler.toml'), file)
  const { code, stdout } = await runVerb(folder.path, 'deploy', '--check', '--offline', '--json', '--wrangler', file)
  const { checks } = JSON.parse(stdout) as { checks: readonly Outcome[] }
  expect(code).toBe(1)
  const faults = checks.filter(({ state }) => state === 'fault').map(({ check }) => check)
  // The copy is not beside the program.
  expect(faults).toEqual(['program', 'bucket', 'kv', 'origin-url', 'access'])
})

test('finds nothing wrong with one that is right, and prints what to run', async () => {
  const file = join(folder.path, 'right.toml')
  await writeFile(
    file,
    `name = "registry"
main = "${join(projectFolder, 'worker/index.ts')}"
compatibility_date = "2026-10-01"
vars = { ORIGIN_URL = "https://push.mirrorball.dev" }
r2_buckets = [{ binding = "BUCKET", bucket_name = "images" }]
kv_namespaces = [{ binding = "MANIFESTS", id = "0123456789abcdef0123456789abcdef" }]
`,
  )
  const args = ['deploy', '--check', '--offline', '--wrangler', file, ...origin]
  const { code, stdout, stderr } = await runVerb(folder.path, ...args)
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout).toMatch(/^12 checks: 12 ok, no faults, 0 skipped$/m)
  expect(stdout).toMatch(/^ {2}done {2}npx wrangler kv namespace create MANIFESTS$/m)
  const { commands } = JSON.parse((await runVerb(folder.path, ...args, '--json')).stdout) as {
    commands: readonly DeployStep[]
  }
  expect(commands.map(({ state }) => state)).toEqual(['run', 'run', 'done', 'run', 'run', 'run'])
  expect(stdout).not.toContain('a-secret-of-tests')
})

test('without --check only says what it does', async () => {
  const { code, stdout, stderr } = await runVerb(folder.path, 'deploy')
  expect([code, stdout]).toEqual([1, ''])
  expect(stderr).toContain('run mirrorball deploy --check')
})

test('names a file that is not there', async () => {
  const file = join(folder.path, 'none.toml')
  const { code, stderr } = await runVerb(folder.path, 'deploy', '--check', '--wrangler', file)
  expect(code).toBe(1)
  expect(stderr).toContain(`${file}: ENOENT`)
})
