// What follows from the configuration: the rights of everyone, folders and addresses.

import { describe, expect, test } from 'vitest'
import {
  accessRules,
  areUnasked,
  bucketFolder,
  bucketKeyFile,
  bucketUrl,
  formatAddress,
  originUrl,
} from '../../origin/config/addresses.ts'
import { ConfigError } from '../../origin/config/config-error.ts'
import { load } from './config-sources.ts'

describe('what everyone may do', () => {
  test.each(['127.0.0.1:1970', '127.9.9.9:1970', 'localhost:1970', '[::1]:1970'])(
    'is to push, delete and fetch at %s, unless something else is set',
    async (listen) => {
      const config = await load({ options: { 'origin-listen': listen } })
      expect(accessRules(config)).toEqual({
        anonymous: 'push',
        delete: true,
        fetch: true,
        service: 'mirrorball',
      })
    },
  )

  test.each([
    '0.0.0.0:1970',
    '[::]:1970',
    '192.168.1.5:1970',
    'registry.example.com:80',
    '127.0.0.1.example.com:80',
    '[::ffff:7f00:1]:1',
  ])('must be set at %s: it refuses to start and says how', async (listen) => {
    const config = await load({ options: { 'origin-listen': listen } })
    const refused = () => accessRules(config)
    expect(refused).toThrow(ConfigError)
    expect(refused).toThrow(
      /access\.anonymous: must be set, because origin\.listen .*--access-anonymous, MIRRORBALL_ACCESS_ANONYMOUS/,
    )
    expect(refused).toThrow(listen)
  })

  test.each([
    ['access-users', 'pull'],
    ['access-htpasswd', '/users'],
    ['access-rules', '[]'],
  ])('must be set on loopback too where --%s is, and nothing more is allowed unasked', async (option, value) => {
    const options = { [option]: value }
    const config = await load({ options })
    expect(() => accessRules(config)).toThrow(/access\.anonymous: must be set, because there are users/)
    const set = await load({ options: { ...options, 'access-anonymous': 'pull' } })
    expect(accessRules(set)).toMatchObject({ delete: false, fetch: false })
  })

  test.each(['pull', 'push'])('is to %s everywhere where that is set, on loopback too', async (anonymous) => {
    for (const listen of ['127.0.0.1:1970', '0.0.0.0:1970']) {
      const config = await load({ options: { 'origin-listen': listen, 'access-anonymous': anonymous } })
      expect(accessRules(config)).toMatchObject({ anonymous })
    }
  })

  test('is to read only where that is set', async () => {
    const options = { 'access-read-only': 'true', 'access-anonymous': 'push' }
    const config = await load({ options })
    expect(accessRules(config)).toMatchObject({ readOnly: true })
  })

  test.each(['127.0.0.1:1970', '0.0.0.0:1970'])(
    'is to delete at %s as it is set; unset, only on loopback',
    async (listen) => {
      const deletes = async (options: Record<string, string>) => {
        const config = await load({ options: { 'origin-listen': listen, 'access-anonymous': 'push', ...options } })
        return accessRules(config).delete
      }
      expect(await deletes({ 'access-delete': 'true' })).toBe(true)
      expect(await deletes({ 'access-delete': 'false' })).toBe(false)
      expect(await deletes({})).toBe(listen.startsWith('127.'))
    },
  )
})

describe('an edge that other machines reach', () => {
  test('counts as much as the origin: what everyone may do must be set', async () => {
    const options = { 'edge-listen': '0.0.0.0:8787' }
    const config = await load({ options })
    expect(() => accessRules(config)).toThrow(/must be set, because edge\.listen \(0\.0\.0\.0:8787\) can be reached/)
    const set = await load({ options: { ...options, 'access-anonymous': 'push' } })
    expect(accessRules(set)).toMatchObject({ anonymous: 'push', delete: false, fetch: false })
  })

  test.each([
    [{}, true],
    [{ 'access-anonymous': 'push' }, true],
    [{ 'access-delete': 'false' }, true],
    [{ 'access-anonymous': 'push', 'access-delete': 'true' }, false],
    [{ 'access-anonymous': 'push', 'access-delete': 'false' }, false],
    [{ 'access-anonymous': 'pull' }, false],
    [{ 'access-anonymous': 'none' }, false],
    [{ 'access-anonymous': 'push', 'origin-listen': '0.0.0.0:1970' }, false],
    [{ 'access-anonymous': 'push', 'access-users': 'push' }, false],
  ])('where the origin does not know of it: that of %j is unasked: %s', async (options, unasked) => {
    const config = await load({ options })
    expect(areUnasked(config, accessRules(config))).toBe(unasked)
  })
})

describe('what follows from the settings', () => {
  test('is the bucket’s folder and key, side by side in the data folder', async () => {
    const config = await load({ options: { 'data-dir': '/data' } })
    expect([bucketFolder(config), bucketKeyFile(config)]).toEqual(['/data/bucket', '/data/accounts/bucket-key.json'])
    expect(bucketFolder(await load({ options: { 'bucket-folder': '/elsewhere' } }))).toBe('/elsewhere')
  })

  test('are the addresses of origin and bucket, also over IPv6', async () => {
    const config = await load({ options: { 'bucket-listen': '[::1]:5', 'origin-listen': '127.0.0.1:6' } })
    expect([bucketUrl(config), originUrl(config)]).toEqual(['http://[::1]:5/mirrorball', 'http://127.0.0.1:6'])
  })

  test('are the addresses that were set, where they were', async () => {
    const config = await load({
      options: { 'bucket-url': 'https://b.example.com/x', 'edge-origin-url': 'https://o.example.com' },
    })
    expect([bucketUrl(config), originUrl(config)]).toEqual(['https://b.example.com/x', 'https://o.example.com'])
  })

  test.each(['0.0.0.0:1971', '[::]:1971'])(
    'is no address of a bucket that listens at %s: one must be set',
    async (listen) => {
      const options = { 'bucket-listen': listen }
      const config = await load({ options })
      expect(() => bucketUrl(config)).toThrow(
        /bucket\.url: must be set, because bucket\.listen .*MIRRORBALL_BUCKET_URL/,
      )
      expect(bucketUrl(await load({ options: { ...options, 'bucket-url': 'http://b' } }))).toBe('http://b')
    },
  )

  test.each([
    [{ host: '::1', port: 80 }, '[::1]:80'],
    [{ host: '127.0.0.1', port: 0 }, '127.0.0.1:0'],
    [{ host: 'localhost', port: 65_535 }, 'localhost:65535'],
  ])('is the address %j as %s', (address, expected) => {
    expect(formatAddress(address)).toBe(expected)
  })
})
