// A registry that fetches an image from gateways of which the first misbehaves: what is wrong is never published, the pull
// goes on with the next, and without one it ends in time with a reason.

import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createGatewaySource } from '../../origin/ipfs/gateways/gateway-source.ts'
import { systemClock } from '../../origin/compose/system-ports.ts'
import { blobKey } from '../../shared/layout/keys.ts'
import type { Cid } from '../../shared/protocol/cid.ts'
import type { Digest } from '../../shared/protocol/digest.ts'
import { imageBlocks, readBlock } from '../../shared/registry/image-blocks.ts'
import { readImageRecord } from '../../shared/registry/image-record.ts'
import { type Gateway, type GatewayManners, startGateway } from '../support/ipfs/gateway.ts'
import { ociError } from '../support/http-client.ts'
import { randomBytes, sha256 } from '../support/image.ts'
import { createRegistry, pushTo, type Registry, type PushedImage } from '../support/ipfs/ipfs-world.ts'

const wait = { signal: new AbortController().signal }
const large = Buffer.from(randomBytes('a layer of gateways', 3_500_000)).toString('latin1')

let image: PushedImage
let blocks: Map<Cid, Uint8Array>
let started: Gateway[] = []

beforeAll(async () => {
  const registry = createRegistry()
  image = await pushTo(registry.origin, 'some/image', [large, 'a small layer'])
  const record = await readImageRecord(registry.bucket, image.root as Cid, wait)
  if (record === undefined) throw new Error('the image has no record')
  blocks = new Map()
  for (const [cid, place] of (await imageBlocks(registry.bucket, record, wait)).places)
    blocks.set(cid, (await readBlock(registry.bucket, place, wait)) ?? new Uint8Array())
})

afterEach(async () => {
  for (const gateway of started) await gateway.stop()
  started = []
})

/** A registry that knows only these gateways. Limits are half a second. */
async function registryWith(...all: readonly GatewayManners[]): Promise<Registry> {
  started = await Promise.all(all.map((manners) => startGateway(blocks, manners)))
  const limits = { clock: systemClock, firstByteMs: 500, idleMs: 500 }
  const sources = started.map(({ url }) =>
    createGatewaySource({ url, fetch: (target, init) => fetch(target, init), ...limits }),
  )
  return createRegistry({ sources })
}

/** Pulls the image by its CID; what the client has then: all of it, or the first failure. */
async function pull({ origin }: Registry): Promise<'whole' | { status: number; code: string } | 'broken off'> {
  const paths = ['manifests/latest', ...image.blobs.map((blob) => `blobs/${sha256(blob)}`)]
  for (const [at, path] of paths.entries()) {
    const answer = await origin.request(`/v2/${image.root}/${path}`)
    if (answer.status !== 200) {
      const { status, code } = await ociError(answer)
      return { status, code }
    }
    let text: string
    try {
      text = await answer.text()
    } catch {
      return 'broken off'
    }
    expect(sha256(text)).toBe(at === 0 ? image.digest : sha256(image.blobs[at - 1] ?? ''))
  }
  return 'whole'
}

/** Whatever the bucket has under a digest has it. */
function expectNothingWrong({ objects }: Registry): void {
  for (const text of [image.manifest, ...image.blobs]) {
    const bytes = objects.get(blobKey(sha256(text) as Digest))
    if (bytes !== undefined) expect(sha256(bytes)).toBe(sha256(text))
  }
  expect([...objects.keys()].filter((key) => key.startsWith('mirrorball/uploads/'))).toEqual([])
}

const flipped = (bytes: Uint8Array) => bytes.map((byte, at) => (at === bytes.length - 1 ? byte ^ 1 : byte))
const faults: readonly (readonly [string, GatewayManners])[] = [
  ['gives every block wrong', { tamper: (_, bytes) => flipped(bytes) }],
  ['gives every leaf wrong', { tamper: (cid, bytes) => (cid.startsWith('bafkrei') ? flipped(bytes) : bytes) }],
  ['stops after 90 % and hangs', { breaksAfter: { sizeBytes: 3_150_000, how: 'hang' } }],
  ['stops after 90 % and resets', { breaksAfter: { sizeBytes: 3_150_000, how: 'reset' } }],
  ['sends headers without end', { answer: (response) => endlessHeaders(response.socket) }],
  ['never answers', { answer: () => {} }],
  ['has too much to do', { answer: (response) => void response.writeHead(429).end() }],
  [
    'shows a page',
    { answer: (response) => void response.writeHead(200, { 'Content-Type': 'text/html' }).end('<html>') },
  ],
]

function endlessHeaders(socket: { write(text: string): boolean; destroyed: boolean } | null): void {
  socket?.write('HTTP/1.1 200 OK\r\n')
  const more = () => {
    if (socket === null || socket.destroyed) return
    socket.write(`X-More: ${'x'.repeat(1000)}\r\n`)
    setTimeout(more, 20)
  }
  more()
}

describe.each(faults)('a gateway that %s', (_, manners) => {
  test('is left out: the pull ends well with the next', async () => {
    const registry = await registryWith(manners, {})
    expect(await pull(registry)).toBe('whole')
    expectNothingWrong(registry)
  })

  test('alone makes the pull fail in time, with a reason, and nothing wrong is published', async () => {
    const registry = await registryWith(manners)
    const result = await pull(registry)
    expect(['broken off', { status: 503, code: 'UNAVAILABLE' }]).toContainEqual(result)
    expectNothingWrong(registry)
  })
})

test.each<readonly [string, GatewayManners]>([
  ['cuts its CARs short', { car: (bytes) => first(bytes, 2) }],
  ['sends blocks that nobody asked for', { arrange: (entries) => entries.flatMap((entry) => [entry, entry]) }],
  ['has no CARs', { cars: 'refused' }],
])('a gateway that %s does well enough alone', async (_, manners) => {
  const registry = await registryWith(manners)
  expect(await pull(registry)).toBe('whole')
  expectNothingWrong(registry)
})

test('gateways that do not have the image are a 404', async () => {
  const registry = await registryWith({ answer: (response) => void response.writeHead(404).end() })
  expect(await pull(registry)).toEqual({ status: 404, code: 'MANIFEST_UNKNOWN' })
})

async function* first(bytes: AsyncIterable<Uint8Array>, count: number): AsyncIterable<Uint8Array> {
  let left = count
  for await (const part of bytes) {
    if (left-- === 0) return
    yield part
  }
}
