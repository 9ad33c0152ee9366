// The configuration: every setting can be given in each way, and which source wins.

import { describe, expect, test } from 'vitest'
import type { Config } from '../../origin/config/schema.ts'
import { settings } from '../../origin/config/settings.ts'
import { faults, load } from './config-sources.ts'

const at = (config: Config, path: string): unknown =>
  path.split('.').reduce<unknown>((value, name) => (value as Record<string, unknown>)[name], config)

/** For each setting two values that are no default, as text. */
const samples: Readonly<Record<string, readonly [string, string]>> = {
  data_dir: ['/data/one', '/data/two'],
  'access.anonymous': ['pull', 'push'],
  'origin.listen': ['127.0.0.1:1', '127.0.0.1:2'],
  'origin.public_url': ['https://one.example.com', 'http://two.example.com:8080'],
  'origin.key': ['one-key-of-thirty-two-characters-1', 'another-key-of-thirty-two-character-2'],
  'origin.metrics_listen': ['127.0.0.1:7', '127.0.0.1:8'],
  'bucket.metrics_listen': ['127.0.0.1:9', '127.0.0.1:10'],
  'edge.metrics_listen': ['127.0.0.1:11', '127.0.0.1:12'],
  'bucket.s3_url': ['http://one.example.com/b', 'https://two.example.com/b'],
  'bucket.prefix': ['one', 'two/deep'],
  'bucket.access_key_id': ['one', 'two'],
  'bucket.secret_access_key': ['secret-one', 'secret-two'],
  'bucket.folder': ['/bucket/one', '/bucket/two'],
  'bucket.listen': ['127.0.0.1:3', '[::1]:4'],
  'bucket.url': ['http://one.example.com/b', 'https://two.example.com/b'],
  'bucket.public_url': ['http://public.example.com', 'https://public.example.com/blobs'],
  'bucket.region': ['eu-central-1', 'us-east-1'],
  'edge.listen': ['127.0.0.1:5', '127.0.0.1:6'],
  'edge.runtime': ['node', 'workerd'],
  'edge.bucket_access': ['folder', 'http'],
  'edge.key': ['one-key-of-thirty-two-characters-1', 'another-key-of-thirty-two-character-2'],
  'edge.origin_url': ['http://one.example.com', 'https://two.example.com:8443'],
  'ipfs.backend': ['embedded', 'off'],
  'ipfs.listen': ['/ip4/127.0.0.1/tcp/1', '/ip6/::1/tcp/2'],
  'ipfs.peers': ['/ip4/127.0.0.1/tcp/1/p2p/one', '/dns4/node.example.com/tcp/2/p2p/two,/ip4/127.0.0.1/tcp/1/p2p/one'],
  'ipfs.kubo_url': ['http://127.0.0.1:5001', 'http://127.0.0.1:5002'],
  'ipfs.gateways': ['http://one.example.com', 'http://one.example.com,http://two.example.com'],
  'access.fetch': ['true', 'false'],
  'access.users': ['pull', 'push'],
  'access.rules': [
    '[{"repositories":["team/**"],"rights":["pull"],"anonymous":true}]',
    '[{"repositories":["team/**"],"rights":["push","delete"],"users":["alice","@team"]}]',
  ],
  'access.groups': ['[]', '[{"name":"team","users":["alice"]}]'],
  'access.service': ['one.example.com', 'two'],
  'access.private': ['team/**', 'secret,team/app'],
  'access.immutable_tags': ['team/**:v*', 'app:1.0,**:*-final'],
  'access.delete': ['true', 'false'],
  'access.read_only': ['true', 'false'],
  'access.htpasswd': ['/users/one', '/users/two'],
  'push.allow_sparse': ['true', 'false'],
  'push.names': ['any', 'content-only'],
  'http.tls_cert': ['/tls/one.pem', '/tls/two.pem'],
  'http.tls_key': ['/tls/one-key.pem', '/tls/two-key.pem'],
  'http.trusted_proxies': ['127.0.0.1', '192.0.2.7,2001:db8::/32'],
  'log.level': ['debug', 'error'],
}
const samplesOf = (path: string) => samples[path] ?? ['201', '202']

const inFile = (path: string, value: string) => {
  const [section = '', name] = path.split('.')
  return name === undefined ? `${section}: ${value}` : `${section}:\n  ${name}: ${value}`
}

describe.each(settings)('$path', ({ path, option, environment, about, example, default: fallback }) => {
  const [one, two] = samplesOf(path)

  test('says what it is for', () => {
    expect(about).toMatch(/^[A-Z`].*\.$/)
  })

  test('has an example, which is taken', async () => {
    expect(example).toBeDefined()
    expect(at(await load({ environment: { [environment]: example ?? '' } }), path)).toBeDefined()
  })

  test('has the default that it says', async () => {
    const config = at(await load(), path)
    if (fallback === undefined) expect(config).toBeUndefined()
    else expect(config).toEqual(at(await load({ options: { [option]: fallback } }), path))
  })

  test('is taken from the file, over that from the environment, over that from the command line', async () => {
    const [first, second] = [
      at(await load({ options: { [option]: one } }), path),
      at(await load({ options: { [option]: two } }), path),
    ]
    expect(first).not.toEqual(second)
    const file = inFile(path, one)
    expect(at(await load({ file }), path)).toEqual(first)
    expect(at(await load({ file, environment: { [environment]: two } }), path)).toEqual(second)
    expect(at(await load({ environment: { [environment]: two }, options: { [option]: one } }), path)).toEqual(first)
    expect(at(await load({ file, options: { [option]: two } }), path)).toEqual(second)
  })

  test('at fault is named by where it came from', async () => {
    const takesAnyText = [
      'data_dir',
      'bucket.folder',
      'bucket.region',
      'access.htpasswd',
      'http.tls_cert',
      'http.tls_key',
    ].includes(path)
    const bad = takesAnyText ? '' : '\t'
    expect(await faults({ environment: { [environment]: bad } })).toEqual([
      expect.stringContaining(`${environment}: must be`),
    ])
    expect(await faults({ options: { [option]: bad } })).toEqual([expect.stringContaining(`--${option}: must be`)])
    expect(await faults({ file: inFile(path, '[1]') })).toEqual([expect.stringContaining(`${path}: must be`)])
  })
})

test('no two settings share an option or a variable', () => {
  for (const field of ['path', 'option', 'environment'] as const) {
    expect(new Set(settings.map((setting) => setting[field])).size).toBe(settings.length)
  }
  for (const { option, environment } of settings) {
    expect(option).toMatch(/^[a-z]+(?:-[a-z0-9]+)*$/)
    expect(environment).toMatch(/^MIRRORBALL_[A-Z0-9_]+$/)
    expect([option, environment]).not.toContain('config')
  }
})

test('a configuration cannot be changed, nor can its sections', async () => {
  const config = await load()
  expect(Object.isFrozen(config)).toBe(true)
  for (const section of Object.values(config))
    if (typeof section === 'object') expect(Object.isFrozen(section)).toBe(true)
  expect(Object.isFrozen(config.origin.listen)).toBe(true)
})
