// What `mirrorball deploy --check` says of a wrangler.toml beside an origin, and the commands that it prints.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { deployChecks, type OriginSide, testedDate } from '../../origin/deploy/deploy-checks.ts'
import { deploySteps } from '../../origin/deploy/deploy-steps.ts'
import { parseWranglerFile } from '../../origin/deploy/wrangler-file.ts'
import { runChecks } from '../../origin/doctor/check.ts'
import { unhurried } from '../../shared/concurrency/unhurried.ts'
import { collect } from '../support/collect.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { projectFolder } from '../support/stack.ts'

const s3Url = 'https://0123456789abcdef.r2.cloudflarestorage.com/images'

const rightFile = `
name = "registry"
main = "worker/index.ts"
compatibility_date = "${testedDate}"
routes = [{ pattern = "registry.mirrorball.dev", custom_domain = true }]

[vars]
ORIGIN_URL = "https://push.mirrorball.dev"
BUCKET_URL = "${s3Url}"
BUCKET_ACCESS_KEY_ID = "reader"

[[r2_buckets]]
binding = "BUCKET"
bucket_name = "images"

[[kv_namespaces]]
binding = "MANIFESTS"
id = "0123456789abcdef0123456789abcdef"
`

const rightOrigin: OriginSide = {
  s3Url,
  bucketUrl: s3Url,
  prefix: undefined,
  region: 'auto',
  accessFault: undefined,
}

interface Trial {
  /** Replacements in the file. */
  readonly file?: readonly (readonly [string | RegExp, string])[]
  readonly origin?: Partial<OriginSide>
  readonly bytes?: number
}

async function look({ file: changes = [], origin = {}, bytes = 50_000 }: Trial) {
  const text = changes.reduce((text, [from, to]) => {
    const changed = text.replace(from, to)
    if (changed === text) throw new Error(`${String(from)} is not in the file`)
    return changed
  }, rightFile)
  const checks = deployChecks({
    file: parseWranglerFile(text),
    path: '/project/wrangler.toml',
    main: '/project/worker/index.ts',
    origin: { ...rightOrigin, ...origin },
    today: '2026-11-22',
    bundleBytes: async () => bytes,
  })
  const clock = createFakeClock()
  return collect(runChecks(checks, { clock, timeoutMs: 1000, wait: unhurried }))
}

test('a file that is right has no fault', async () => {
  expect((await look({})).filter(({ state }) => state !== 'ok')).toEqual([])
})

test('nor has one without what may be left out', async () => {
  const file = [
    [/routes = .*/, ''],
    [/BUCKET_.*\n.*\n/, ''],
    [/\[\[kv[^[]*/, ''],
  ] as const
  expect((await look({ file })).filter(({ state }) => state !== 'ok')).toEqual([])
})

test('nor has one with the prefix of the origin, and a public host alone', async () => {
  const file = [
    [/BUCKET_URL.*\n.*\n/, ''],
    ['[vars]', '[vars]\nBUCKET_PREFIX = "team/registry"\nBUCKET_PUBLIC_URL = "https://blobs.mirrorball.dev"'],
  ] as const
  const outcomes = await look({ file, origin: { prefix: 'team/registry' } })
  expect(outcomes.filter(({ state }) => state !== 'ok')).toEqual([])
  expect(outcomes).toContainEqual({
    check: 'bucket-url',
    state: 'ok',
    seen: expect.stringContaining('blobs.mirrorball.dev'),
  })
})

test('nor has one whose bucket is a process of ours', async () => {
  const url = 'https://blobs.mirrorball.dev/mirrorball'
  const file = [
    [/\[\[r2[^[]*/, ''],
    [s3Url, url],
  ] as const
  const outcomes = await look({ file, origin: { s3Url: undefined, bucketUrl: url } })
  expect(outcomes.filter(({ state }) => state !== 'ok')).toEqual([])
})

const rows: readonly (readonly [string, string, RegExp, Trial])[] = [
  ['another program', 'program', /main is .*other\.ts/, { file: [['worker/index.ts', 'other.ts']] }],
  ['an old date', 'compatibility-date', /before/, { file: [[testedDate, '2024-01-01']] }],
  ['a date to come', 'compatibility-date', /future/, { file: [[testedDate, '2027-01-01']] }],
  ['a bundle for paid plans', 'size', /free plan takes 3 MiB/, { bytes: 3 * 1024 * 1024 + 1 }],
  ['a bundle for no plan', 'size', /no plan/, { bytes: 10 * 1024 * 1024 + 1 }],
  [
    'a slip in a name',
    'variables',
    /did you mean BUCKET_REGION/,
    { file: [['[vars]', '[vars]\nBUCKET_REGON = "auto"']] },
  ],
  [
    'a value that is none',
    'variables',
    /MEMORY_CACHE_MIB: must be/,
    { file: [['[vars]', '[vars]\nMEMORY_CACHE_MIB = "900"']] },
  ],
  ['no key for redirects', 'variables', /BUCKET_ACCESS_KEY_ID/, { file: [[/BUCKET_ACCESS_KEY_ID.*/, '']] }],
  ['rules for one machine', 'variables', /ON_LOOPBACK/, { file: [['[vars]', '[vars]\nON_LOOPBACK = "true"']] }],
  ['a secret', 'secrets', /EDGE_KEY/, { file: [['[vars]', '[vars]\nEDGE_KEY = "12345678901234567890123456789012"']] }],
  [
    'another bucket',
    'bucket',
    /reads the R2 bucket other, and the origin writes to images/,
    { file: [['bucket_name = "images"', 'bucket_name = "other"']] },
  ],
  [
    'no prefix, where the origin has one',
    'prefix',
    /not set, and bucket\.prefix is team/,
    { origin: { prefix: 'team' } },
  ],
  [
    'a prefix that the origin has not',
    'prefix',
    /is team, and bucket\.prefix is not set/,
    { file: [['[vars]', '[vars]\nBUCKET_PREFIX = "team"']] },
  ],
  ['a bucket with another binding', 'bucket', /bound as IMAGES/, { file: [['"BUCKET"', '"IMAGES"']] }],
  [
    'an origin with a folder',
    'bucket',
    /writes to a folder/,
    { file: [[/BUCKET_.*\n.*\n/, '']], origin: { s3Url: undefined } },
  ],
  [
    'an origin on another S3',
    'bucket',
    /writes to https:\/\/s3\.mirrorball\.dev/,
    {
      file: [[s3Url, 'https://s3.mirrorball.dev/images']],
      origin: { s3Url: 'https://s3.mirrorball.dev/images', bucketUrl: 'https://s3.mirrorball.dev/images' },
    },
  ],
  [
    'no bucket',
    'variables',
    /BUCKET \(R2 binding\) or BUCKET_URL/,
    {
      file: [
        [/\[\[r2[^[]*/, ''],
        [/BUCKET_.*\n.*\n/, ''],
      ],
    },
  ],
  ['another address of the bucket', 'bucket-url', /the origin’s bucket is at/, { file: [[s3Url, `${s3Url}2`]] }],
  [
    'an address that nobody else reaches',
    'bucket-url',
    /own machine/,
    { file: [[s3Url, 'http://127.0.0.1:1971/mirrorball']] },
  ],
  ['another region', 'bucket-url', /BUCKET_REGION is auto/, { origin: { region: 'eu-central-1' } }],
  ['no namespace yet', 'kv', /no id/, { file: [['0123456789abcdef0123456789abcdef', '0'.repeat(32)]] }],
  ['a namespace with another binding', 'kv', /bound as CACHE/, { file: [['"MANIFESTS"', '"CACHE"']] }],
  ['the origin of the example', 'origin-url', /example/, { file: [['push.mirrorball.dev', 'origin.example.com']] }],
  [
    'an origin on loopback',
    'origin-url',
    /own machine/,
    { file: [['https://push.mirrorball.dev', 'http://localhost:1970']] },
  ],
  ['an origin without a name', 'origin-url', /IP address/, { file: [['push.mirrorball.dev', '192.0.2.7']] }],
  ['an origin without TLS', 'origin-url', /plain HTTP/, { file: [['https://push', 'http://push']] }],
  ['itself as origin', 'origin-url', /itself/, { file: [['push.mirrorball.dev', 'registry.mirrorball.dev']] }],
  ['a route to one path', 'routes', /one path alone/, { file: [[', custom_domain = true', '']] }],
  ['no address', 'routes', /workers_dev/, { file: [[/routes = .*/, 'workers_dev = false']] }],
  [
    'rules that edges do not follow',
    'access',
    /because nobody said/,
    { origin: { accessFault: 'because nobody said' } },
  ],
]

test.each(rows)('%s is told by %s alone', async (_, check, seen, trial) => {
  const faults = (await look(trial)).filter(({ state }) => state === 'fault')
  expect(faults).toEqual([expect.objectContaining({ check, seen: expect.stringMatching(seen) as string })])
})

test('no origin at all is told with its name', async () => {
  const faults = (await look({ file: [[/ORIGIN_URL.*/, '']] })).filter(({ state }) => state === 'fault')
  expect(faults).toEqual([
    expect.objectContaining({ check: 'variables', seen: expect.stringMatching(/^ORIGIN_URL: must be/) as string }),
  ])
})

test('the project’s own file has the date that the worker is tested with', async () => {
  const text = await readFile(join(projectFolder, 'wrangler.toml'), 'utf8')
  expect(parseWranglerFile(text).compatibility_date).toBe(testedDate)
})

test('a file that is none is refused with what is missing', () => {
  expect(() => parseWranglerFile('name = ')).toThrow(/Invalid TOML/)
  expect(() => parseWranglerFile('name = "x"')).toThrow(/main.*compatibility_date/)
})

describe('the commands', () => {
  const steps = (text: string, facts: object = {}) =>
    deploySteps({
      file: parseWranglerFile(text),
      configPath: undefined,
      bucketThere: undefined,
      edgeKeyFile: 'data/accounts/edge-key',
      ...facts,
    })
  const without = (...parts: readonly RegExp[]) => parts.reduce((text, part) => text.replace(part, ''), rightFile)

  test('create all there is to create, in their order', () => {
    expect(steps(rightFile.replace(/^id = .*$/m, '')).map(({ state, command }) => [state, command])).toEqual([
      ['run', 'npx wrangler login'],
      ['run', 'npx wrangler r2 bucket create images'],
      ['run', 'npx wrangler kv namespace create MANIFESTS'],
      ['run', 'npx wrangler secret put BUCKET_SECRET_ACCESS_KEY'],
      ['run', 'npx wrangler secret put EDGE_KEY < data/accounts/edge-key'],
      ['run', 'npx wrangler deploy'],
      ['run', 'mirrorball doctor --edge-url https://registry.mirrorball.dev'],
    ])
  })

  test('mark what is there', () => {
    const done = steps(rightFile, { bucketThere: true }).filter(({ state }) => state === 'done')
    expect(done.map(({ command }) => command)).toEqual([
      'npx wrangler r2 bucket create images',
      'npx wrangler kv namespace create MANIFESTS',
    ])
  })

  test('leave out what the worker does without', () => {
    const file = without(/\[\[r2[^[]*/, /\[\[kv[^[]*/, /BUCKET_.*\n.*\n/, /routes = .*/)
    expect(steps(file).map(({ command }) => command)).toEqual([
      'npx wrangler login',
      'npx wrangler secret put EDGE_KEY < data/accounts/edge-key',
      'npx wrangler deploy',
      'mirrorball doctor --edge-url https://<the address>',
    ])
  })

  test('never have a secret in them, and name a file that wrangler would not find', () => {
    const all = steps(rightFile, { configPath: 'deploy/wrangler.toml', edgeKeyFile: undefined })
    expect(all).toContainEqual({
      state: 'run',
      command: 'npx wrangler secret put EDGE_KEY --config deploy/wrangler.toml',
      note: 'the origin’s edge.key',
    })
  })
})
