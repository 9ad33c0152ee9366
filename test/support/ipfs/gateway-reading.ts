// Reads of a file through gateways, over real HTTP: gateways that are over when the test is, and what came out.

import { type AddressInfo, createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import { createGatewaySource } from '../../../origin/ipfs/gateways/gateway-source.ts'
import { systemClock } from '../../../origin/compose/system-ports.ts'
import { createVerifiedReader } from '../../../shared/ipfs/verified-blocks.ts'
import type { BlockSource } from '../../../shared/ports/block-source.ts'
import type { Wait } from '../../../shared/ports/bucket.ts'
import type { Cid } from '../../../shared/protocol/cid.ts'
import { addFile, balanced, type Blocks, fixedSize } from './dag.ts'
import { type Gateway, type GatewayManners, startGateway } from './gateway.ts'
import { randomBytes } from '../image.ts'
import { createRecordingLog } from '../recording-log.ts'

export const wait: Wait = { signal: new AbortController().signal }

/** Long enough for an honest gateway on a busy machine. */
export const patient = { firstByteMs: 10_000, idleMs: 10_000 }

/** For those that never answer. */
export const short = { firstByteMs: 300, idleMs: 300 }

/** What gateways have, unless they are given something else: the blocks of `file`. */
export const blocks: Blocks = new Map()

/** Of `file`. */
export const content = randomBytes(1, 6_000_500)

/** Several levels of nodes over raw leaves of 50,000 bytes. */
export const file: Cid = await addFile(blocks, content, { chunker: fixedSize(50_000), layout: balanced(12) })

const leaves = [...blocks].filter(([, bytes]) => bytes.byteLength === 50_000)

/** One of its leaves, counted from 0. */
export function leafOf(at: number): Cid {
  const leaf = leaves[at]
  if (leaf === undefined) throw new Error('there are not so many leaves')
  return leaf[0]
}

/** A gateway to the end of the test. */
export async function gatewayOf(manners: GatewayManners, has: Blocks = blocks): Promise<Gateway> {
  const gateway = await startGateway(has, manners)
  onTestFinished(() => gateway.stop())
  return gateway
}

export const sourceOf = (url: URL, limits: { firstByteMs: number; idleMs: number }) =>
  createGatewaySource({ url, fetch, clock: systemClock, ...limits })

interface Outcome {
  readonly bytes: Uint8Array
  readonly error: unknown
  /** Whom the log names. */
  readonly named: readonly unknown[]
}

/** Reads the file to its end, or to the error that it ends in. */
export async function read(sources: readonly BlockSource[], cid = file): Promise<Outcome> {
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

/** A server to the end of the test that is not even HTTP, or not for long. */
export async function rawServer(onConnection: (socket: Socket) => void): Promise<URL> {
  const server = createServer((socket) => {
    socket.on('error', () => {}) // The reader hangs up on it.
    onConnection(socket)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => sockets.add(socket))
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((done) => server.close(done))
  })
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
}

/** Bytes, and then zeros without end. */
export async function* endless(first: Uint8Array): AsyncGenerator<Uint8Array> {
  yield first
  for (;;) yield new Uint8Array(64 * 1024)
}

export async function* firstBytes(bytes: AsyncIterable<Uint8Array>, sizeBytes: number): AsyncGenerator<Uint8Array> {
  let left = sizeBytes
  for await (const chunk of bytes) {
    if (left <= 0) return
    yield chunk.subarray(0, left)
    left -= chunk.byteLength
  }
}
