// A trustless gateway over blocks in memory, which can misbehave in every way that a reader has to expect.

import { decode } from '@ipld/dag-pb'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { varint } from 'multiformats'
import { CID } from 'multiformats/cid'
import { cidText } from '../../../shared/ipfs/cid.ts'
import type { Block } from '../../../shared/ports/content-store.ts'
import type { Cid } from '../../../shared/protocol/cid.ts'
import type { Blocks } from './dag.ts'

export interface GatewayManners {
  /** Answers to raw requests and to CARs alike, instead of what was asked for. */
  readonly answer?: (response: ServerResponse, url: URL) => void
  /** What is sent as a block. */
  readonly tamper?: (cid: Cid, bytes: Uint8Array) => Uint8Array
  readonly cars?: 'refused' | 'html'
  /** The blocks of a CAR, from those in their order. */
  readonly arrange?: (blocks: readonly Block[]) => readonly Block[]
  /** The bytes of a CAR, from the right ones; must not end before they are to. */
  readonly car?: (bytes: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>
  readonly carType?: string
  /** Of all block bytes of the DAG: after as many it sends nothing any more, on any connection. */
  readonly breaksAfter?: { readonly sizeBytes: number; readonly how: 'hang' | 'reset' }
}

export interface Gateway {
  readonly url: URL
  /** Path and query of every request. */
  readonly requests: readonly string[]
  /** Bytes of CARs and blocks that were given to the network so far. */
  readonly sentBytes: () => number
  /** TCP connections so far. */
  readonly connections: () => number
  /** From now on nothing is sent any more. */
  hang(): void
  /** Requests that are not yet answered to their end. */
  readonly open: () => number
  stop(): Promise<void>
}

export async function startGateway(blocks: Blocks, manners: GatewayManners = {}): Promise<Gateway> {
  const requests: string[] = []
  let sentBytes = 0
  let connections = 0
  let hangs = false
  let open = 0

  async function send(response: ServerResponse, bytes: Uint8Array): Promise<void> {
    const { sizeBytes, how } = manners.breaksAfter ?? { sizeBytes: Number.POSITIVE_INFINITY, how: 'hang' }
    if (hangs || sentBytes + bytes.byteLength > sizeBytes) {
      if (how === 'reset') response.destroy()
      return new Promise((done) => response.once('close', done))
    }
    sentBytes += bytes.byteLength
    if (response.write(bytes) || response.destroyed) return
    await new Promise<void>((resolve) => {
      const done = () => {
        response.off('drain', done).off('close', done)
        resolve()
      }
      response.on('drain', done).on('close', done)
    })
  }

  async function answerRaw(cid: Cid, response: ServerResponse): Promise<void> {
    const bytes = blocks.get(cid)
    if (bytes === undefined) return void response.writeHead(404, { 'Content-Type': 'text/plain' }).end('not found')
    response.writeHead(200, { 'Content-Type': 'application/vnd.ipld.raw' })
    await send(response, manners.tamper?.(cid, bytes) ?? bytes)
    response.end()
  }

  async function* carOf(root: Cid): AsyncGenerator<Uint8Array> {
    yield carHeader(root)
    const entries = manners.arrange?.([...depthFirst(blocks, root)]) ?? depthFirst(blocks, root)
    for (const { cid, bytes } of entries) yield* carSection(cid, manners.tamper?.(cid, bytes) ?? bytes)
  }

  async function answerCar(root: Cid, response: ServerResponse): Promise<void> {
    if (manners.cars === 'refused') return void response.writeHead(406).end()
    const html = manners.cars === 'html'
    response.writeHead(200, {
      'Content-Type': html
        ? 'text/html'
        : (manners.carType ?? 'application/vnd.ipld.car; version=1; order=dfs; dups=y'),
    })
    if (html) return void response.end('<html>files of this directory</html>')
    for await (const bytes of manners.car?.(carOf(root)) ?? carOf(root)) {
      if (response.destroyed) return
      await send(response, bytes)
    }
    response.end()
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://gateway.example')
    requests.push(request.url ?? '')
    open += 1
    response.once('close', () => (open -= 1))
    if (manners.answer !== undefined) return manners.answer(response, url)
    const cid = cidText(CID.parse(url.pathname.replace('/ipfs/', '')))
    if (url.searchParams.get('format') === 'car') return answerCar(cid, response)
    return answerRaw(cid, response)
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy())
  })
  server.on('connection', () => (connections += 1))
  await listening(server)
  const { port } = server.address() as AddressInfo
  return {
    url: new URL(`http://127.0.0.1:${port}`),
    requests,
    sentBytes: () => sentBytes,
    connections: () => connections,
    hang: () => void (hangs = true),
    open: () => open,
    async stop() {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
}

async function listening(server: Server): Promise<void> {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
}

/** Every block under a CID, depth first, also those that were there before. */
export function* depthFirst(blocks: Blocks, cid: Cid): Generator<Block> {
  const bytes = blocks.get(cid)
  if (bytes === undefined) return
  yield { cid, bytes }
  if (CID.parse(cid).code !== 0x70) return
  for (const { Hash } of decode(bytes).Links) yield* depthFirst(blocks, cidText(Hash))
}

/** The header of a CAR, version 1: {"roots": [root], "version": 1} in CBOR behind its length. */
export function carHeader(root: Cid): Uint8Array {
  const cid = CID.parse(root).bytes
  const text = (value: string) => [0x60 + value.length, ...new TextEncoder().encode(value)]
  const link = [0xd8, 0x2a, 0x58, cid.byteLength + 1, 0, ...cid]
  const header = [0xa2, ...text('roots'), 0x81, ...link, ...text('version'), 1]
  return Uint8Array.from([...lengthOf(header.length), ...header])
}

export function* carSection(cid: Cid, bytes: Uint8Array): Generator<Uint8Array> {
  const name = CID.parse(cid).bytes
  yield Uint8Array.from([...lengthOf(name.byteLength + bytes.byteLength), ...name])
  if (bytes.byteLength > 0) yield bytes
}

/** A length as CARs have it before each section. */
export function lengthOf(value: number): Uint8Array {
  return varint.encodeTo(value, new Uint8Array(varint.encodingLength(value)))
}
