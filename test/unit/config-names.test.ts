// Names that are no setting's are refused, with the name that was perhaps meant.

import { describe, expect, test } from 'vitest'
import { settings } from '../../origin/config/settings.ts'
import { nearestName } from '../../origin/config/suggest.ts'
import { faults, load } from './config-sources.ts'

describe('a key of the file that is no setting is refused', () => {
  test.each([
    ['origin:\n  lissen: 127.0.0.1:1', 'origin.lissen', 'origin.listen'],
    ['data-dir: /a', 'data-dir', 'data_dir'],
    ['dataDir: /a', 'dataDir', 'data_dir'],
    ['edge:\n  memoryCacheMib: 5', 'edge.memoryCacheMib', 'edge.memory_cache_mib'],
    ['orgin:\n  listen: 127.0.0.1:1', 'orgin', 'origin'],
    ['orgin: 1', 'orgin', 'origin'],
    ['log_level: info', 'log_level', 'log.level'],
    ['drain_ms: 5', 'drain_ms', 'http.drain_ms'],
    ['edge:\n  drain_ms: 5', 'edge.drain_ms', 'http.drain_ms'],
  ])('in %j: %s, did you mean %s?', async (file, key, meant) => {
    expect(await faults({ file })).toEqual([`${key}: there is no such setting; did you mean ${meant}?`])
  })

  test.each([
    ['spare: 1', 'spare'],
    ['origin:\n  colour: red', 'origin.colour'],
    ['listen: 127.0.0.1:1', 'listen'],
    ['toString: 1', 'toString'],
    ['__proto__:\n  log: 1', '__proto__'],
    ['log:\n  constructor: 1', 'log.constructor'],
    ["'': 1", ''],
  ])('in %j: %s, without a guess that is none', async (file, key) => {
    expect(await faults({ file })).toEqual([`${key}: there is no such setting; see docs/settings.md`])
  })
})

describe('a variable with our prefix that is no setting is refused', () => {
  test.each([
    ['MIRRORBALL_ORIGIN_LISSEN', 'MIRRORBALL_ORIGIN_LISTEN'],
    ['MIRRORBALL_EDGE', 'MIRRORBALL_EDGE_RUNTIME'],
    ['MIRRORBALL_DRAIN_MS', 'MIRRORBALL_HTTP_DRAIN_MS'],
    ['MIRRORBALL_CONFG', 'MIRRORBALL_CONFIG'],
    ['MIRRORBALL_data_dir', 'MIRRORBALL_DATA_DIR'],
  ])('%s: did you mean %s?', async (variable, meant) => {
    const told = await faults({ environment: { [variable]: 'any' } })
    expect(told).toEqual([`${variable}: there is no such variable; did you mean ${meant}?`])
  })

  test.each(['MIRRORBALL_', 'MIRRORBALL_COLOUR', 'MIRRORBALL_PORT', 'MIRRORBALL_TESTING'])(
    '%s, without a guess that is none, whatever its value',
    async (variable) => {
      for (const value of ['', '1970']) {
        const told = await faults({ environment: { [variable]: value } })
        expect(told).toEqual([`${variable}: there is no such variable; see --help`])
      }
    },
  )

  test('but not one of tests, nor one that only begins alike', async () => {
    const environment = { MIRRORBALL_TEST_LARGE_GIB: '4', MIRRORBALLS: '2', PATH: '/bin' }
    expect(await load({ environment })).toEqual(await load())
  })

  // https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
  test.each(['MIRRORBALL', 'MIRRORBALL_ORIGIN', 'MIRRORBALL_EDGE_PUBLIC'])(
    'but not those that Kubernetes makes of a service, as %s_PORT',
    async (service) => {
      const environment = {
        [`${service}_SERVICE_HOST`]: '10.0.0.11',
        [`${service}_SERVICE_PORT`]: '6379',
        [`${service}_SERVICE_PORT_HTTP_API`]: '6379',
        [`${service}_PORT`]: 'tcp://10.0.0.11:6379',
        [`${service}_PORT_6379_TCP`]: 'tcp://10.0.0.11:6379',
        [`${service}_PORT_6379_TCP_PROTO`]: 'tcp',
        [`${service}_PORT_6379_TCP_PORT`]: '6379',
        [`${service}_PORT_6379_TCP_ADDR`]: '10.0.0.11',
      }
      expect(await load({ environment })).toEqual(await load())
    },
  )

  test.each(settings)('and $environment is no name that Kubernetes could make', ({ environment }) => {
    expect(environment).not.toMatch(/_SERVICE_HOST$|_SERVICE_PORT|_PORT$|_PORT_\d/)
    expect(environment).not.toMatch(/^MIRRORBALL_TEST_|_FILE$/)
  })
})

describe('a name is near', () => {
  test.each([
    ['listen', ['listen'], 'listen'],
    ['lissen', ['origin', 'listen'], 'listen'],
    ['up', ['us', 'config'], 'us'],
    ['abc', ['xyz'], undefined],
    ['abcdef', ['abcxyz'], undefined],
    ['', ['listen'], undefined],
    ['listen', [], undefined],
  ])('to %j among %j: %s', (given, names, expected) => {
    expect(nearestName(given, names)).toBe(expected)
  })
})
