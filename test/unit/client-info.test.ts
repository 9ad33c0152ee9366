// Who a client is: what headers say counts only where a trusted proxy says it.

import { describe, expect, test } from 'vitest'
import { clientInfo } from '../../shared/http/client-info.ts'
import { parseNetwork } from '../../shared/protocol/ip-address.ts'

const trusted = ['10.0.0.0/8', '2001:db8:ff::/48'].map(parseNetwork).filter((each) => each !== undefined)
const proxy = '10.0.0.1'
const infoOf = (headers: Record<string, string>, peer: string | undefined = proxy) =>
  clientInfo(new Request('http://registry.example:8787/v2/', { headers }), peer, trusted)

describe('the address', () => {
  const cases: readonly [string, string | undefined, string | undefined][] = [
    ['the proxy says who it is', '192.0.2.7', '192.0.2.7'],
    ['the client wrote one before', '203.0.113.9, 192.0.2.7', '192.0.2.7'],
    ['several of our proxies passed it on', '192.0.2.7, 10.1.1.1, 10.0.0.2', '192.0.2.7'],
    ['the client wrote one of our proxies before', '10.9.9.9, 192.0.2.7, 10.0.0.2', '192.0.2.7'],
    ['a proxy has an IPv6 address', '192.0.2.7, 2001:db8:ff::1', '192.0.2.7'],
    ['it has a port', '192.0.2.7:4711', '192.0.2.7'],
    ['it is a mapped one', '::ffff:192.0.2.7', '192.0.2.7'],
    ['it is of IPv6, in brackets', '[2001:DB8::7]:4711', '2001:db8::7'],
    ['all of them are ours', '10.0.0.3, 10.0.0.2', '10.0.0.3'],
    ['nothing is said', undefined, proxy],
    ['what is said is empty', '', proxy],
    ['the last is no address', '192.0.2.7, unknown', proxy],
    ['one on the way is no address', '192.0.2.7, unknown, 10.0.0.2', '10.0.0.2'],
  ]

  test.each(cases)('where %s', (_, header, address) => {
    expect(infoOf(header === undefined ? {} : { 'X-Forwarded-For': header }).address).toBe(address)
  })

  test('is that of the connection, whatever is said, where that is no trusted proxy', () => {
    const headers = { 'X-Forwarded-For': '203.0.113.9', Forwarded: 'for=203.0.113.9', 'X-Real-IP': '203.0.113.9' }
    for (const peer of ['192.0.2.7', '::ffff:192.0.2.7', '11.0.0.1'])
      expect(infoOf(headers, peer).address).toBe(peer.replace('::ffff:', ''))
    expect(infoOf(headers, '::ffff:10.0.0.1').address).toBe('203.0.113.9')
  })

  test('is not known where the runtime does not know it, and then nothing that is said counts', () => {
    const info = clientInfo(
      new Request('http://a/v2/', { headers: { 'X-Forwarded-For': '192.0.2.7' } }),
      undefined,
      trusted,
    )
    expect(info).toEqual({ address: undefined, scheme: 'http', host: 'a' })
  })
})

describe('scheme and host', () => {
  const forwarded = { 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'Public.example:8443' }

  test('are what a trusted proxy says', () => {
    expect(infoOf(forwarded)).toEqual({ address: proxy, scheme: 'https', host: 'public.example:8443' })
    expect(infoOf({ 'X-Forwarded-Host': '[2001:db8::1]:8443' }).host).toBe('[2001:db8::1]:8443')
  })

  test('are those of the request where somebody else says it, or the proxy says nothing', () => {
    const own = { scheme: 'http', host: 'registry.example:8787' }
    expect(infoOf(forwarded, '192.0.2.7')).toMatchObject(own)
    expect(infoOf({})).toMatchObject(own)
    expect(clientInfo(new Request('https://registry.example/v2/?a=/b'), proxy, trusted)).toMatchObject({
      scheme: 'https',
      host: 'registry.example',
    })
  })

  test('are what the proxy next to us says, where the client said something before', () => {
    const headers = { 'X-Forwarded-Proto': 'http, https', 'X-Forwarded-Host': 'evil.example, public.example' }
    expect(infoOf(headers)).toMatchObject({ scheme: 'https', host: 'public.example' })
  })

  test.each(['a/b', 'user@host', 'a b', 'a"b', 'host:99999', '', '?'])(
    'a host that is none, %j, is not taken',
    (host) => {
      expect(infoOf({ 'X-Forwarded-Host': host }).host).toBe('registry.example:8787')
    },
  )

  test.each(['ftp', '', 'https://', 'javascript'])('a scheme that is none, %j, is not taken', (scheme) => {
    expect(infoOf({ 'X-Forwarded-Proto': scheme }).scheme).toBe('http')
  })
})
