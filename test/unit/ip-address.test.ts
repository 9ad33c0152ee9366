// IP addresses and networks: one spelling each, and the same answers as Node's own list of networks gives.

import * as fc from 'fast-check'
import { BlockList, isIP, SocketAddress } from 'node:net'
import { describe, expect, test } from 'vitest'
import {
  canonicalAddress,
  customerNetwork,
  isInNetworks,
  isLoopbackAddress,
  parseNetwork,
} from '../../shared/protocol/ip-address.ts'

test.each([
  ['192.0.2.7', '192.0.2.7'],
  ['0.0.0.0', '0.0.0.0'],
  ['192.0.2.7:4711', '192.0.2.7'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['::FFFF:c000:207', '192.0.2.7'],
  ['0:0:0:0:0:ffff:192.0.2.7', '192.0.2.7'],
  ['[::ffff:192.0.2.7]:4711', '192.0.2.7'],
  ['2001:DB8:0:0::0:1', '2001:db8::1'],
  ['[2001:db8::1]', '2001:db8::1'],
  ['[2001:db8::1]:443', '2001:db8::1'],
  ['fe80::1%eth0', 'fe80::1'],
  ['::', '::'],
  ['::1', '::1'],
  ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
  // Not mapped: IPv4 in the last bytes of something else.
  ['::192.0.2.7', '::c000:207'],
])('%s is the address %s', (text, address) => {
  expect(canonicalAddress(text)).toBe(address)
})

const noAddresses =
  '||unknown|_hidden|localhost|registry.example|192.0.2|192.0.2.256|192.0.2.07|0x7f.1|127.1|192.0.2.7.1|192.0.2.7/32|' +
  '192.0.2.7 |-1.0.0.0|1::2::3|:::|12345::|[::1|::1]|[::1]x|[192.0.2.7|2001:db8::1:443:1:1:1:1:1|%|::1%|a|1.2.3.4:|::g'

test.each(noAddresses.split('|'))('%j is no address', (text) => {
  expect(canonicalAddress(text)).toBeUndefined()
})

const ipv4 = fc.ipV4()
const ipv6 = fc.ipV6()

test('what Node takes for an address is one, in the spelling that it has there', () => {
  fc.assert(
    fc.property(fc.oneof(ipv4, ipv6), (text) => {
      const family = isIP(text) === 4 ? 'ipv4' : 'ipv6'
      const canonical = canonicalAddress(text) ?? ''
      expect(canonicalAddress(canonical)).toBe(canonical)
      const same = new BlockList()
      same.addAddress(text, family)
      expect(same.check(canonical, isIP(canonical) === 4 ? 'ipv4' : 'ipv6')).toBe(true)
      if (family === 'ipv4') expect(canonical).toBe(new SocketAddress({ address: text }).address)
    }),
  )
})

test('any text is an address with Node where it is one here', () => {
  const text = fc.string({ unit: fc.constantFrom(...'0123456789abf:.[]'.split('')), maxLength: 20 })
  fc.assert(
    fc.property(text, (each) => {
      const bare = /^\[(.*)\](?::\d{1,5})?$/.exec(each)?.[1] ?? /^([\d.]+):\d{1,5}$/.exec(each)?.[1] ?? each
      expect(canonicalAddress(each) !== undefined).toBe(isIP(bare) !== 0)
    }),
    { numRuns: 2000 },
  )
})

describe('a network', () => {
  test.each([
    ['192.0.2.0/24', ['192.0.2.0', '192.0.2.255', '::ffff:192.0.2.9'], ['192.0.3.0', '192.0.1.255', '2001:db8::']],
    ['192.0.2.9/24', ['192.0.2.1'], ['192.0.3.9']],
    ['192.0.2.128/25', ['192.0.2.128'], ['192.0.2.127']],
    ['192.0.2.7', ['192.0.2.7'], ['192.0.2.6']],
    ['0.0.0.0/0', ['255.255.255.255'], ['::1']],
    ['2001:db8::/33', ['2001:db8:7fff::1'], ['2001:db8:8000::1', '32.1.13.184']],
    ['::/0', ['2001:db8::1'], ['192.0.2.7']],
    ['::ffff:192.0.2.0/120', ['192.0.2.9'], ['192.0.3.9']],
    ['::1', ['::1'], ['::2', '127.0.0.1']],
  ])('%s has %j and not %j', (text, inside, outside) => {
    const network = parseNetwork(text)
    if (network === undefined) throw new Error(`${text} is no network`)
    for (const address of inside) expect([address, isInNetworks([network], address)]).toEqual([address, true])
    for (const address of outside) expect([address, isInNetworks([network], address)]).toEqual([address, false])
  })

  test.each(['', '/', '192.0.2.0/', '192.0.2.0/33', '192.0.2.0/-1', '192.0.2.0/24/1', '::/129', '::ffff:1.2.3.4/95'])(
    '%j is none',
    (text) => expect(parseNetwork(text)).toBeUndefined(),
  )

  test('has the addresses that it has with Node', () => {
    const cases = fc.oneof(
      fc.record({ address: ipv4, near: ipv4, bits: fc.nat(32) }),
      fc.record({ address: ipv6, near: ipv6, bits: fc.nat(128) }),
    )
    fc.assert(
      fc.property(cases, ({ address, near, bits }) => {
        const network = parseNetwork(`${address}/${bits}`)
        // A network of addresses that are mapped ones in part is none here.
        fc.pre(network !== undefined)
        const list = new BlockList()
        const family = isIP(address) === 4 ? 'ipv4' : 'ipv6'
        list.addSubnet(address, bits, family)
        const canonical = [near, address].map((each) => canonicalAddress(each) ?? '')
        fc.pre(canonical.every((each) => isIP(each) === isIP(address)))
        for (const each of canonical) expect(isInNetworks([network], each)).toBe(list.check(each, family))
      }),
    )
  })
})

test('a client counts by its IPv4 address, and by the /64 of an IPv6 address', () => {
  expect(customerNetwork('192.0.2.7')).toBe('192.0.2.7')
  expect(customerNetwork('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2::/64')
  expect(customerNetwork('2001:db8:1:2::')).toBe('2001:db8:1:2::/64')
  expect(customerNetwork('2001:db8:1:3::')).not.toBe(customerNetwork('2001:db8:1:2::'))
})

test('loopback is 127.x.x.x and ::1', () => {
  for (const address of ['127.0.0.1', '127.255.0.9', '::1']) expect(isLoopbackAddress(address)).toBe(true)
  for (const address of ['128.0.0.1', '12.7.0.0', '::2', '1270.0.0.1']) expect(isLoopbackAddress(address)).toBe(false)
})
