// Trustless gateways that misbehave in every way, over real HTTP: with an honest one behind it the file comes out right;
// alone, each gives its error within the time limits, and nothing unverified gets out.

import { createHash } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { createServer, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import { CID } from 'multiformats/cid'
import { afterEach, describe, expect, test } from 'vitest'
import { createGatewaySource } from '../../origin/ipfs/gateways/gateway-source.ts'
import { systemClock } from '../../origin/process/system-ports.ts'
import { NotFoundOnIpfs } from '../../shared/ipfs/content-errors.ts'
import { cidText, rawCid } from '../../shared/ipfs/cid.ts'
import { createVerifiedReader } from '../../shared/ipfs/verified-blocks.ts'
import type { BlockSource } from '../../shared/ports/block-source.ts'
import type { Block } from '../../shared/ports/content-store.ts'
import type { Cid } from '../../shared/protocol/cid.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { addDirectory, addFile, balanced, type Blocks, fixedSize } from '../support/dag.ts'
import { carHeader, type Gateway, type GatewayManners, lengthOf, startGateway } from '../support/gateway.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { randomBytes, sha256 } from '../support/image.ts'
import { createRecordingLog } from '../support/recording-log.ts'

const wait = { signal: new AbortController().signal }

/** Long enough for an honest gateway on a busy machine. */
const patient = { firstByteMs: 10_000, idleMs: 10_000 }
/** For those that never answer. */
const short = { firstByteMs: 300, idleMs: 300 }

const blocks: Blocks = new Map()
const content = randomBytes(1, 6_000_500)
/** Several levels of nodes over raw leaves of 50,000 bytes. */
const file: Cid = await addFile(blocks, content, { chunker: fixedSize(50_000), layout: balanced(12) })
const leaves = [...blocks].filter(([, bytes]) => bytes.byteLength === 50_000)

const endings: (() => Promise<void> | void)[] = []

afterEach(async () => {
  for (const end of endings.splice(0)) await end()
})

async function gatewayOf(manners: GatewayManners, has: Blocks = blocks): Promise<Gateway> {
  const gateway = await startGateway(has, manners)
  endings.push(() => gateway.stop())
  return gateway
}

const sourceOf = (url: URL, limits: { firstByteMs: number; idleMs: number }) =>
  createGatewaySource({ url, fetch, clock: systemClock, ...limits })

interface Outcome {
  readonly bytes: Uint8Array
  readonly error: unknown
  /** Whom the log names. */
  readonly named: readonly unknown[]
}

/** Reads the file to its end, or to the error that it ends in. */
async function read(sources: readonly BlockSource[], cid = file): Promise<Outcome> {
  const log = createRecordingLog()
  const reader = createVerifiedReader({ sources, clock: systemClock, log })
  const chunks: Uint8Array[] = []
  const named = () => log.lines.map(({ fields }) => fields['source'])
  try {
    const { body } = await reader.file({ top: cid, cid, maxBytes: content.byteLength }, wait)
    for await (const chunk of body) chunks.push(chunk)
    return { bytes: Buffer.concat(chunks), error: undefined, named: named() }
  } catch (error) {
    return { bytes: Buffer.concat(chunks), error, named: named() }
  }
}

function isBeginning(bytes: Uint8Array): boolean {
  return Buffer.compare(bytes, content.subarray(0, bytes.byteLength)) === 0
}

/** A server that is not even HTTP, or not for long. */
async function rawServer(onConnection: (socket: Socket) => void): Promise<URL> {
  const server = createServer((socket) => {
    socket.on('error', () => {}) // The reader hangs up on it.
    onConnection(socket)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => sockets.add(socket))
  endings.push(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((done) => server.close(done))
  })
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
}

/** Writes for as long as the other side takes it. */
function flood(socket: Socket, head: string, more: string): void {
  socket.write(head)
  const go = () => {
    while (!socket.destroyed && socket.write(more));
  }
  socket.on('drain', go)
  go()
}

const leafOf = (at: number): Cid => {
  const leaf = leaves[at]
  if (leaf === undefined) throw new Error('there are not so many leaves')
  return leaf[0]
}

const wrongLeaf: GatewayManners['tamper'] = (cid, bytes) => (cid === leafOf(60) ? bytes.toReversed() : bytes)

async function* endless(first: Uint8Array): AsyncGenerator<Uint8Array> {
  yield first
  for (;;) yield new Uint8Array(64 * 1024)
}

async function* firstBytes(bytes: AsyncIterable<Uint8Array>, sizeBytes: number): AsyncGenerator<Uint8Array> {
  let left = sizeBytes
  for await (const chunk of bytes) {
    if (left <= 0) return
    yield chunk.subarray(0, left)
    left -= chunk.byteLength
  }
}

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

// What it does in its CARs only is made up for by asking it for single blocks.
describe('a CAR that is not as it should be, from a gateway whose blocks are right', () => {
  const manners: readonly (readonly [string, GatewayManners])[] = [
    ['is cut in the middle', { car: (bytes) => firstBytes(bytes, 3_000_000) }],
    ['is cut in its header', { car: (bytes) => firstBytes(bytes, 10) }],
    ['is empty', { car: (bytes) => firstBytes(bytes, 0) }],
    [
      'has other blocks between',
      { arrange: (entries) => entries.flatMap((entry, at) => (at % 3 === 0 ? [entry, stray(at)] : [entry])) },
    ],
    [
      'has endless other blocks first',
      { arrange: (entries) => [...Array.from({ length: 600 }, (_, at) => stray(at, 100_000)), ...entries] },
    ],
    ['has its blocks backwards', { arrange: (entries) => entries.toReversed() }],
    [
      'has its leaves first',
      { arrange: (entries) => entries.toSorted((a, b) => b.bytes.byteLength - a.bytes.byteLength) },
    ],
    ['has each block twice', { arrange: (entries) => entries.flatMap((entry) => [entry, entry]) }],
    ['lacks blocks', { arrange: (entries) => entries.filter((_, at) => at % 4 !== 3) }],
    ['has only the root', { arrange: (entries) => entries.slice(0, 1) }],
    ['has an endless header', { car: () => endless(lengthOf(2 ** 40)) }],
    ['has a header of zeros', { car: () => endless(new Uint8Array(10)) }],
    ['announces a block of 4 GiB', { car: () => announcing() }],
    [
      'has a block of 3 MiB',
      { arrange: (entries) => [...entries.slice(0, 5), stray(1, 3 * 1024 * 1024), ...entries.slice(5)] },
    ],
  ]

  function stray(seed: number, sizeBytes = 1000): Block {
    const bytes = randomBytes(seed + 1, sizeBytes)
    const digest = createHash('sha256').update(bytes).digest()
    return { cid: cidText(rawCid(digest)), bytes }
  }

  async function* announcing(): AsyncGenerator<Uint8Array> {
    yield carHeader(file)
    yield lengthOf(4 * 1024 ** 3)
    yield* endless(CID.parse(leafOf(0)).bytes)
  }

  test.each(manners)('%s: the file comes out right, and no more is taken than a little', async (_, manner) => {
    const gateway = await gatewayOf(manner)
    const { bytes, error, named } = await read([sourceOf(gateway.url, patient)])
    expect([error, named, sha256(bytes)]).toEqual([undefined, [], sha256(content)])
    // The file, the CAR beside it, the limits on what is taken in vain, and what the network holds.
    expect(gateway.sentBytes()).toBeLessThan(2 * content.byteLength + 24 * 1024 * 1024)
  })
})

describe('a gateway that fails', () => {
  /** Within a block. */
  async function* thenGarbage(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    yield* firstBytes(bytes, 1_000_000)
    yield* endless(new TextEncoder().encode('502 Bad Gateway'))
  }

  const ways: readonly (readonly [string, GatewayManners | ((socket: Socket) => void), 'patient' | 'short'])[] = [
    ['sends one wrong block', { tamper: wrongLeaf }, 'patient'],
    ['sends one wrong block, and has no CARs', { tamper: wrongLeaf, cars: 'refused' }, 'patient'],
    ['turns into something else within a CAR', { car: (bytes) => thenGarbage(bytes) }, 'patient'],
    ['sends a wrong root', { tamper: (cid, bytes) => (cid === file ? bytes.toReversed() : bytes) }, 'patient'],
    ['sends blocks of 3 MiB', { tamper: () => new Uint8Array(3 * 1024 * 1024) }, 'patient'],
    ['sends endless blocks', { answer: (response) => void endlessly(response) }, 'patient'],
    [
      'answers HTML',
      { answer: (response) => void response.writeHead(200, { 'Content-Type': 'text/html' }).end('<html>') },
      'patient',
    ],
    ['answers 429', { answer: (response) => void response.writeHead(429, { 'Retry-After': '1' }).end() }, 'patient'],
    ['answers 500', { answer: (response) => void response.writeHead(500).end() }, 'patient'],
    ['answers 403', { answer: (response) => void response.writeHead(403).end() }, 'patient'],
    ['stops after nine tenths and hangs', { breaksAfter: { sizeBytes: 5_400_000, how: 'hang' } }, 'short'],
    [
      'stops after nine tenths and hangs, and has no CARs',
      { breaksAfter: { sizeBytes: 5_400_000, how: 'hang' }, cars: 'refused' },
      'short',
    ],
    ['stops after nine tenths and resets', { breaksAfter: { sizeBytes: 5_400_000, how: 'reset' } }, 'patient'],
    ['never answers', { answer: () => {} }, 'short'],
    [
      'sends its headers and nothing more',
      { answer: (response) => response.writeHead(200, { 'Content-Type': 'application/vnd.ipld.raw' }).flushHeaders() },
      'short',
    ],
    ['accepts and says nothing', () => {}, 'short'],
    ['hangs up', (socket) => void socket.destroy(), 'patient'],
    [
      'sends one header without an end',
      (socket) => flood(socket, 'HTTP/1.1 200 OK\r\nX-Long: ', 'a'.repeat(16_384)),
      'patient',
    ],
    [
      'sends headers without an end',
      (socket) => flood(socket, 'HTTP/1.1 200 OK\r\n', 'X-More: header\r\n'.repeat(1000)),
      'patient',
    ],
    ['sends a byte at a time', (socket) => drip(socket), 'short'],
  ]

  async function endlessly(response: ServerResponse): Promise<void> {
    response.writeHead(200, { 'Content-Type': 'application/vnd.ipld.raw' })
    const go = () => {
      while (!response.destroyed && response.write(new Uint8Array(64 * 1024)));
    }
    response.on('drain', go)
    go()
  }

  function drip(socket: Socket): void {
    socket.write('HTTP/1.1 200 OK\r\nContent-Type: application/vnd.ipld.raw\r\nContent-Length: 1000000\r\n\r\n')
    const timer = setInterval(() => socket.write('x'), 20)
    socket.on('close', () => clearInterval(timer))
  }

  async function urlOf(way: GatewayManners | ((socket: Socket) => void)): Promise<URL> {
    return typeof way === 'function' ? rawServer(way) : (await gatewayOf(way)).url
  }

  test.each(ways)('%s: an honest one goes on, and the log names the other', async (_, way, limits) => {
    const failing = await urlOf(way)
    const honest = await gatewayOf({})
    const sources = [sourceOf(failing, limits === 'short' ? short : patient), sourceOf(honest.url, patient)]
    const { bytes, error, named } = await read(sources)
    expect([error, named, sha256(bytes)]).toEqual([undefined, [failing.host], sha256(content)])
  })

  test.each(ways)('%s: alone it is UpstreamError, after nothing but verified bytes', async (_, way, limits) => {
    const failing = await urlOf(way)
    const { bytes, error, named } = await read([sourceOf(failing, limits === 'short' ? short : patient)])
    expect(error).toBeInstanceOf(UpstreamError)
    expect(named).toEqual([failing.host])
    expect(bytes.byteLength).toBeLessThan(content.byteLength)
    expect(isBeginning(bytes)).toBe(true)
  })

  test('stalls within a CAR: it is not asked for single blocks, which would stall as long', async () => {
    const gateway = await gatewayOf({ breaksAfter: { sizeBytes: 5_400_000, how: 'hang' } })
    await read([sourceOf(gateway.url, short)])
    expect(gateway.requests).toHaveLength(2)
  })

  test('is not there: an honest one goes on', async () => {
    const gone = await startGateway(blocks)
    await gone.stop()
    const honest = await gatewayOf({})
    const alone = await read([sourceOf(gone.url, patient)])
    expect(alone.error).toBeInstanceOf(UpstreamError)
    const { error, named } = await read([sourceOf(gone.url, patient), sourceOf(honest.url, patient)])
    expect([error, named]).toEqual([undefined, [gone.url.host]])
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

describe('a reader that goes slowly or goes away', () => {
  const large: Blocks = new Map()
  const added = addFile(large, randomBytes(1, 64 * 1024 * 1024))

  /** How far the gateway is ahead once nothing moves any more. */
  async function settled(gateway: Gateway): Promise<number> {
    let before = -1
    await expect
      .poll(
        () => {
          const still = before === gateway.sentBytes()
          before = gateway.sentBytes()
          return still
        },
        { interval: 200, timeout: 10_000 },
      )
      .toBe(true)
    return before
  }

  test.each([
    ['CARs', {}],
    ['CARs that lack a block', { arrange: (entries: readonly Block[]) => entries.toSpliced(2, 1) }],
    ['single blocks', { cars: 'refused' }],
  ] as const)(
    'by %s: one that reads a little and stops lets the gateway go little ahead, and one that leaves ends every request',
    async (_, manners) => {
      const cid = await added
      const gateway = await gatewayOf(manners, large)
      const sources = [sourceOf(gateway.url, patient)]
      const reader = createVerifiedReader({ sources, clock: systemClock, log: createRecordingLog() })
      const { body } = await reader.file({ top: cid, cid, maxBytes: 1e9 }, wait)
      const stream = body.getReader()
      await stream.read()
      // Eight blocks of 1 MiB, the window of 4 MiB, and what sockets hold on both sides.
      expect(await settled(gateway)).toBeLessThan(24 * 1024 * 1024)
      await stream.cancel()
      await expect.poll(() => gateway.open()).toBe(0)
    },
  )

  test('what comes long before its turn is not kept, but asked for again', async () => {
    const cid = await added
    const gateway = await gatewayOf({ arrange: (entries) => entries.toReversed() }, large)
    const sources = [sourceOf(gateway.url, patient)]
    const reader = createVerifiedReader({ sources, clock: systemClock, log: createRecordingLog() })
    const { body } = await reader.file({ top: cid, cid, maxBytes: 1e9 }, wait)
    await body.pipeTo(new WritableStream())
    // Of 64 leaves, four and a few in the order of the CAR may have been kept.
    expect(gateway.requests.length).toBeGreaterThan(50)
  })

  test.each([
    ['CARs', {}],
    ['single blocks', { cars: 'refused' }],
  ] as const)(
    'by %s: no time limit runs while nobody reads, and one that has passed ends the read',
    async (_, manners) => {
      const cid = await added
      const gateway = await gatewayOf(manners, large)
      const [clock, log] = [createFakeClock(), createRecordingLog()]
      const source = createGatewaySource({ url: gateway.url, fetch, clock, firstByteMs: 1000, idleMs: 1000 })
      const { body } = await createVerifiedReader({ sources: [source], clock, log }).file(
        { top: cid, cid, maxBytes: 1e9 },
        wait,
      )
      const stream = body.getReader()
      for (let chunk = 0; chunk < 40; chunk += 1) {
        await stream.read()
        if (chunk % 10 !== 0) continue
        await expect.poll(() => clock.pending).toBe(0)
        clock.advance(60_000)
      }
      expect(log.lines).toEqual([])
      gateway.hang()
      const rest = (async () => {
        while (!(await stream.read()).done);
      })()
      rest.catch(() => {}) // It is awaited below.
      await expect.poll(() => clock.pending).toBeGreaterThan(0)
      await settled(gateway)
      clock.advance(1000)
      await expect(rest).rejects.toBeInstanceOf(UpstreamError)
      expect(log.lines).toHaveLength(1)
    },
  )

  test('connections are used again, also after a no', async () => {
    const gateway = await gatewayOf({ cars: 'refused' })
    const source = sourceOf(gateway.url, patient)
    const absent = leafOf(0).replace(/.{4}$/, 'aaaa') as Cid
    for (let round = 0; round < 10; round += 1) {
      const reader = source.open(absent)
      expect(await reader.block(absent, wait)).toBeUndefined()
      expect(await reader.block(leafOf(round), wait)).toHaveLength(50_000)
      reader.close()
    }
    expect(gateway.requests).toHaveLength(20)
    expect(gateway.connections()).toBeLessThan(5)
  })
})
