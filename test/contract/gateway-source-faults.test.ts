// Trustless gateways that misbehave in every way, over real HTTP: with an honest one behind it the file comes out right;
// alone, each gives its error within the time limits, and nothing unverified gets out.

import type { ServerResponse } from 'node:http'
import { type Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { type GatewayManners, startGateway } from '../support/ipfs/gateway.ts'
import { sha256 } from '../support/image.ts'
import {
  blocks,
  content,
  endless,
  file,
  firstBytes,
  gatewayOf,
  leafOf,
  patient,
  rawServer,
  read,
  short,
  sourceOf,
} from '../support/ipfs/gateway-reading.ts'

/** Writes for as long as the other side takes it. */
function flood(socket: Socket, head: string, more: string): void {
  socket.write(head)
  const go = () => {
    while (!socket.destroyed && socket.write(more));
  }
  socket.on('drain', go)
  go()
}

function isBeginning(bytes: Uint8Array): boolean {
  return Buffer.compare(bytes, content.subarray(0, bytes.byteLength)) === 0
}

const wrongLeaf: GatewayManners['tamper'] = (cid, bytes) => (cid === leafOf(60) ? bytes.toReversed() : bytes)

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
