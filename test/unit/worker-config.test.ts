// The worker's bindings and variables: what is needed, what is told, and that no value ever is.

import { describe, expect, test } from 'vitest'

// Taken at run time, since its types are those of Workers, which this project does not have.
const file: string = new URL('../../worker/config.ts', import.meta.url).href
const { parseWorkerConfig } = (await import(file)) as {
  parseWorkerConfig: (env: unknown) => Readonly<Record<string, unknown>>
}

const r2 = { head() {}, get() {}, list() {} }
const secret = 'a-secret-of-the-test'
const bound = { BUCKET: r2, ORIGIN_URL: 'https://origin.example.com' }
const overHttp = {
  BUCKET_URL: 'https://bucket.example.com/mirrorball',
  BUCKET_ACCESS_KEY_ID: 'mirrorball01',
  BUCKET_SECRET_ACCESS_KEY: secret,
  ORIGIN_URL: 'https://origin.example.com',
}
const without = (env: object, name: string) => Object.fromEntries(Object.entries(env).filter(([each]) => each !== name))

function refusal(env: object): string {
  try {
    parseWorkerConfig(env)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
  throw new Error('the configuration was taken')
}

describe('a worker', () => {
  test('with a bucket bound needs an origin; the rest has defaults', () => {
    expect(parseWorkerConfig(bound)).toEqual({
      ...bound,
      ACCESS_READ_ONLY: false,
      ON_LOOPBACK: false,
      BUCKET_REGION: 'auto',
      IPFS_KEEP_FETCHED_DAYS: 30,
      MEMORY_CACHE_MIB: 16,
      BUCKET_TIMEOUT_MS: 10_000,
      ORIGIN_TIMEOUT_MS: 60_000,
      LOG_LEVEL: 'info',
    })
  })

  test('without one bound takes a bucket over HTTP', () => {
    expect(parseWorkerConfig(overHttp)).toMatchObject(overHttp)
  })

  test('may have both, so that it reads by the binding and redirects to the URL', () => {
    expect(parseWorkerConfig({ ...bound, ...overHttp })).toMatchObject({ BUCKET: r2, BUCKET_URL: overHttp.BUCKET_URL })
  })

  test('takes a public host of the bucket, whatever else there is', () => {
    const BUCKET_PUBLIC_URL = 'https://blobs.example.com'
    for (const env of [bound, overHttp])
      expect(parseWorkerConfig({ ...env, BUCKET_PUBLIC_URL })).toMatchObject({ BUCKET_PUBLIC_URL })
    expect(refusal({ ...bound, BUCKET_PUBLIC_URL: 'https://blobs.example.com/' })).toContain('BUCKET_PUBLIC_URL')
  })

  test('has a configuration that cannot be changed', () => {
    expect(Object.isFrozen(parseWorkerConfig(bound))).toBe(true)
  })

  test.each([
    ['MEMORY_CACHE_MIB', '1', 1],
    ['MEMORY_CACHE_MIB', 96, 96],
    ['BUCKET_TIMEOUT_MS', '500', 500],
    ['ORIGIN_TIMEOUT_MS', 1, 1],
    ['LOG_LEVEL', 'silent', 'silent'],
    ['ACCESS_READ_ONLY', 'true', true],
    ['ON_LOOPBACK', 'true', true],
  ])('takes %s=%j', (name, value, expected) => {
    expect(parseWorkerConfig({ ...bound, [name]: value })[name]).toBe(expected)
  })

  test('does not mind variables that are not ours', () => {
    expect(() => parseWorkerConfig({ ...bound, CF_VERSION_METADATA: {} })).not.toThrow()
  })
})

describe('a worker refuses', () => {
  test.each([
    ['no origin', without(bound, 'ORIGIN_URL'), 'ORIGIN_URL'],
    ['no bucket at all', without(bound, 'BUCKET'), 'BUCKET_URL'],
    ['a bucket over HTTP without a key', without(overHttp, 'BUCKET_ACCESS_KEY_ID'), 'BUCKET_ACCESS_KEY_ID'],
    ['a bucket over HTTP without a secret', without(overHttp, 'BUCKET_SECRET_ACCESS_KEY'), 'BUCKET_SECRET_ACCESS_KEY'],
    ['a bucket’s name instead of its binding', { ...bound, BUCKET: 'mirrorball' }, 'BUCKET'],
    ['a namespace’s name instead of its binding', { ...bound, MANIFESTS: 'manifests' }, 'MANIFESTS'],
  ])('%s', (_, env, name) => {
    expect(refusal(env)).toContain(name)
  })

  test.each([
    ['ORIGIN_URL', 'origin.example.com'],
    ['ORIGIN_URL', 'https://origin.example.com/'],
    ['ORIGIN_URL', 'https://origin.example.com/registry'],
    ['ORIGIN_URL', 'https://origin.example.com:99999'],
    ['BUCKET_URL', 'https://bucket.example.com/b/'],
    ['BUCKET_REGION', ''],
    ['BUCKET_PREFIX', ''],
    ['BUCKET_PREFIX', '/team'],
    ['BUCKET_PREFIX', 'team/'],
    ['BUCKET_PREFIX', 'team/../other'],
    ['BUCKET_ACCESS_KEY_ID', ''],
    ['BUCKET_SECRET_ACCESS_KEY', ''],
    ['ACCESS_READ_ONLY', 'yes'],
    ['ON_LOOPBACK', ''],
    ['MEMORY_CACHE_MIB', '0'],
    ['MEMORY_CACHE_MIB', 97],
    ['MEMORY_CACHE_MIB', '1.5'],
    ['MEMORY_CACHE_MIB', ''],
    ['MEMORY_CACHE_MIB', 'many'],
    ['BUCKET_TIMEOUT_MS', '0'],
    ['BUCKET_TIMEOUT_MS', -1],
    ['ORIGIN_TIMEOUT_MS', 'Infinity'],
    ['LOG_LEVEL', 'loud'],
  ])('%s=%j by its name', (name, value) => {
    expect(refusal({ ...overHttp, [name]: value })).toContain(`${name}: `)
  })

  test('all that is wrong at once', () => {
    const message = refusal({
      ...bound,
      ORIGIN_URL: 'nowhere',
      LOG_LEVEL: 'loud',
      BUCKET_TIMEOUT_MS: 'x',
    })
    for (const name of ['ORIGIN_URL', 'LOG_LEVEL', 'BUCKET_TIMEOUT_MS']) expect(message).toContain(name)
  })

  test('a missing bucket together with all else that is missing', () => {
    const message = refusal({})
    for (const name of ['ORIGIN_URL', 'BUCKET_URL']) expect(message).toContain(name)
  })

  test('a bucket over HTTP without its key together with all else that is missing', () => {
    const message = refusal({ BUCKET_URL: overHttp.BUCKET_URL })
    for (const name of ['ORIGIN_URL', 'BUCKET_SECRET_ACCESS_KEY']) expect(message).toContain(name)
  })

  test('a missing ORIGIN_URL and says what it must be', () => {
    expect(refusal(without(bound, 'ORIGIN_URL'))).toMatch(/ORIGIN_URL: must be an http\(s\) URL/)
  })

  test.each([
    'ORIGIN_URL',
    'BUCKET',
    'MANIFESTS',
    'BUCKET_URL',
    'MEMORY_CACHE_MIB',
    'BUCKET_TIMEOUT_MS',
    'ORIGIN_TIMEOUT_MS',
    'LOG_LEVEL',
  ])('a %s at fault without telling its value', (name) => {
    expect(refusal({ ...overHttp, [name]: secret })).not.toContain(secret)
  })

  test.each([
    ['a number that is not whole', { MEMORY_CACHE_MIB: 31.41592 }, '31.41592'],
    ['a number out of bounds', { MEMORY_CACHE_MIB: 3_141_592 }, '3141592'],
    ['a secret that is no text', { BUCKET_SECRET_ACCESS_KEY: 3_141_592 }, '3141592'],
  ])('%s without telling it', (_, fault, value) => {
    expect(refusal({ ...overHttp, ...fault })).not.toContain(value)
  })
})
