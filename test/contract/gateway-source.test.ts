// A trustless gateway that is right, over real HTTP: what it is asked for, and which redirects are followed.

import { describe, expect, test } from 'vitest'
import { createGatewaySource } from '../../origin/ipfs/gateways/gateway-source.ts'
import { systemClock } from '../../origin/compose/system-ports.ts'
import { NotFoundOnIpfs } from '../../shared/ipfs/content-errors.ts'
import { createVerifiedReader } from '../../shared/ipfs/verified-blocks.ts'
import type { Block } from '../../shared/ports/content-store.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { addDirectory, addFile, balanced, type Blocks, fixedSize } from '../support/ipfs/dag.ts'
import { type GatewayManners } from '../support/ipfs/gateway.ts'
import { randomBytes, sha256 } from '../support/image.ts'
import { createRecordingLog } from '../support/recording-log.ts'
import {
  blocks,
  content,
  file,
  gatewayOf,
  leafOf,
  patient,
  read,
  sourceOf,
  wait,
} from '../support/ipfs/gateway-reading.ts'

function withoutRepeats(entries: readonly Block[]): readonly Block[] {
  return [...new Map(entries.map((entry) => [entry.cid, entry])).values()]
}

describe('a gateway that is right', () => {
  test.each([
    ['gives a file as one CAR', {}, 2],
    ['refuses CARs, and is asked for each block', { cars: 'refused' }, blocks.size + 1],
    ['answers HTML where it was asked for a CAR, and is asked for each block', { cars: 'html' }, blocks.size + 1],
  ] as const)('%s', async (_, manners, requests) => {
    const gateway = await gatewayOf(manners)
    const { bytes, error, named } = await read([sourceOf(gateway.url, patient)])
    expect([error, named, sha256(bytes)]).toEqual([undefined, [], sha256(content)])
    expect(gateway.requests).toHaveLength(requests)
  })

  test.each([
    [
      'once, and says so',
      { arrange: withoutRepeats, carType: 'application/vnd.ipld.car; version=1; order=dfs; dups=n' },
      // Two nodes of twenty leaves that came before; each is asked for once at most.
      2 + 2 * 21,
    ],
    ['once, and says nothing', { arrange: withoutRepeats, carType: 'application/vnd.ipld.car' }, 2 + 2 * 21],
    // What comes after the first block that is missing may be passed by as well.
    ['once, and says otherwise', { arrange: withoutRepeats }, 2 + 4 * 21],
    ['as often as they occur', {}, 2],
  ] as const)('gives blocks that a file repeats %s', async (_, manners, requests) => {
    const has: Blocks = new Map()
    const part = randomBytes(1, 1_000_000)
    const repeating = Buffer.concat([part, randomBytes(2, 1_000_000), part, part, randomBytes(3, 500_000)])
    const cid = await addFile(has, repeating, { chunker: fixedSize(50_000), layout: balanced(20) })
    const gateway = await gatewayOf(manners, has)
    const { bytes, error, named } = await read([sourceOf(gateway.url, patient)], cid)
    expect([error, named, sha256(bytes)]).toEqual([undefined, [], sha256(repeating)])
    expect(gateway.requests.filter((request) => request.includes('format=car'))).toHaveLength(1)
    expect(gateway.requests.length).toBeLessThanOrEqual(requests)
  })

  test('gives a file of many levels as one CAR, since its nodes are asked for in the order of the CAR', async () => {
    const has: Blocks = new Map()
    const cid = await addFile(has, randomBytes(9, 5_999_000), { chunker: fixedSize(20_000), layout: balanced(4) })
    const large = await addFile(has, randomBytes(8, 25_000_000), { chunker: fixedSize(250_000), layout: balanced(4) })
    for (const each of [cid, large]) {
      const gateway = await gatewayOf({}, has)
      const reader = createVerifiedReader({
        sources: [sourceOf(gateway.url, patient)],
        clock: systemClock,
        log: createRecordingLog(),
      })
      const { body } = await reader.file({ top: each, cid: each, maxBytes: 1e9 }, wait)
      await body.pipeTo(new WritableStream())
      expect(gateway.requests).toHaveLength(2)
    }
  })

  test('gives a directory by its nodes, and not all that lies in it', async () => {
    const has: Blocks = new Map()
    const root = await addDirectory(has, { 'a/large': randomBytes(1, 3_000_000), 'b/small': randomBytes(1, 100) })
    const gateway = await gatewayOf({}, has)
    const reader = createVerifiedReader({
      sources: [sourceOf(gateway.url, patient)],
      clock: systemClock,
      log: createRecordingLog(),
    })
    const dag = reader.open(root, wait)
    expect(await dag.smallFile(root, ['b', 'small'], 100, wait)).toEqual(randomBytes(1, 100))
    expect(gateway.requests.map((request) => request.replace(/.*\?/, ''))).toEqual(Array(3).fill('format=raw'))
    dag.close()
  })

  test('gives two files of one directory by a CAR each, at once', async () => {
    const has: Blocks = new Map()
    const files = { one: randomBytes(1, 3_000_000), two: randomBytes(2, 3_000_000) }
    const root = await addDirectory(has, files)
    const gateway = await gatewayOf({}, has)
    const sources = [sourceOf(gateway.url, patient)]
    const dag = createVerifiedReader({ sources, clock: systemClock, log: createRecordingLog() }).open(root, wait)
    const whole = await Promise.all(['one', 'two'].map((name) => dag.smallFile(root, [name], 3_000_000, wait)))
    expect(whole.map((bytes) => bytes && sha256(bytes))).toEqual([files.one, files.two].map(sha256))
    expect(gateway.requests.filter((request) => request.includes('format=car'))).toHaveLength(2)
    dag.close()
  })

  test('that does not have the file says so, and nobody else is blamed', async () => {
    const gateway = await gatewayOf({}, new Map())
    const { error, named } = await read([sourceOf(gateway.url, patient)])
    expect(error).toBeInstanceOf(NotFoundOnIpfs)
    expect(named).toEqual([])
  })

  test.each([410, 404])('%d is a no', async (status) => {
    const gateway = await gatewayOf({ answer: (response) => void response.writeHead(status).end() })
    expect((await read([sourceOf(gateway.url, patient)])).error).toBeInstanceOf(NotFoundOnIpfs)
  })
})

describe('redirects', () => {
  const to = (location: (url: URL) => string): GatewayManners => ({
    answer: (response, url) => void response.writeHead(307, { Location: location(url) }).end(),
  })

  test('to the same host are followed, but not for ever', async () => {
    let left = 0
    const gateway = await gatewayOf({
      answer(response, url) {
        left -= 1
        if (left >= 0) return void response.writeHead(302, { Location: url.pathname + url.search }).end()
        response.writeHead(200, { 'Content-Type': 'application/vnd.ipld.raw' }).end(blocks.get(leafOf(0)))
      },
    })
    const reader = () => sourceOf(gateway.url, patient).open(leafOf(0))
    left = 3
    expect(await reader().block(leafOf(0), wait)).toHaveLength(50_000)
    left = 4
    await expect(reader().block(leafOf(0), wait)).rejects.toBeInstanceOf(UpstreamError)
  })

  test('to another host without TLS are not followed', async () => {
    const other = await gatewayOf({})
    const gateway = await gatewayOf(to((url) => new URL(url.pathname + url.search, other.url).href))
    const { error } = await read([sourceOf(gateway.url, patient)])
    expect(error).toBeInstanceOf(UpstreamError)
    expect(other.requests).toEqual([])
  })

  test.each([
    ['https://127.0.0.1/', false],
    ['https://[::1]/', false],
    ['https://[::ffff:10.0.0.1]/', false],
    ['https://169.254.169.254/', false],
    ['https://192.168.1.1/', false],
    ['https://localhost/', false],
    ['https://a.localhost/', false],
    ['https://user:password@elsewhere.example/', false],
    ['http://public.example/', false],
    ['http://elsewhere.example/', false],
    ['ftp://elsewhere.example/', false],
    ['https://elsewhere.example/', true],
    ['https://203.0.113.7/', true],
    ['https://public.example:8443/', true],
  ])('from a public host to %s: followed is %s', async (target, followed) => {
    const asked: string[] = []
    const source = createGatewaySource({
      url: new URL('https://public.example/'),
      clock: systemClock,
      ...patient,
      async fetch(url) {
        asked.push(url.origin)
        if (asked.length === 1) return new Response(null, { status: 301, headers: { Location: target } })
        return new Response(null, { status: 404 })
      },
    })
    const answer = source.open(file).block(file, wait)
    if (followed) expect(await answer).toBeUndefined()
    else await expect(answer).rejects.toBeInstanceOf(UpstreamError)
    expect(asked).toEqual(['https://public.example', ...(followed ? [new URL(target).origin] : [])])
  })
})
