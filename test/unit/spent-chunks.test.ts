// Memory of chunks that are stored: given back where it was the stream's own, left alone where anybody else may have it.

import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { requestBody } from '../../origin/http/request-body.ts'
import { createFsUploads } from '../../origin/upload/fs-uploads.ts'
import { freeChunk, ownChunks } from '../../origin/http/spent-chunks.ts'
import { unhurried } from '../../shared/concurrency/unhurried.ts'
import { temporaryFolder } from '../support/stack.ts'

const chunkBytes = 64 * 1024

test.each([
  ['the chunk of a stream that owns it', true, new Uint8Array(chunkBytes), 0],
  ['one of a stream that does not', false, new Uint8Array(chunkBytes), chunkBytes],
  ['a part of a larger buffer', true, new Uint8Array(2 * chunkBytes).subarray(chunkBytes), chunkBytes],
  ['memory that threads share', true, new Uint8Array(new SharedArrayBuffer(chunkBytes)), chunkBytes],
])('%s', (_, isOwned, chunk, leftBytes) => {
  const body = new ReadableStream<Uint8Array>()
  freeChunk(isOwned ? ownChunks(body) : body, chunk)
  expect(chunk.byteLength).toBe(leftBytes)
})

test('a request’s chunks are stored and shown whole, and hold no memory afterwards', async () => {
  const folder = await temporaryFolder()
  const uploads = createFsUploads({ folder: folder.path })
  await uploads.create('u1', unhurried)
  const shown: Uint8Array[] = []
  let shownBytes = 0
  const server = createServer((incoming, response) => {
    const onStored = (chunk: Uint8Array) => {
      shown.push(chunk)
      shownBytes += chunk.byteLength
    }
    void uploads
      .append('u1', 0, requestBody(incoming), onStored, unhurried)
      .then((sizeBytes) => response.end(String(sizeBytes)))
  }).listen(0, '127.0.0.1')
  try {
    await new Promise((listening) => server.once('listening', listening))
    const sent = Buffer.alloc(1_000_000, 'content')
    const answer = await new Promise<string>((resolve, reject) => {
      const { port } = server.address() as AddressInfo
      const asking = request({ port, host: '127.0.0.1', method: 'PATCH' }, (response) => {
        response.once('data', (text: Buffer) => resolve(text.toString()))
      })
      asking.once('error', reject).end(sent)
    })
    expect([answer, shownBytes]).toEqual(['1000000', 1_000_000])
    expect(Buffer.from(await new Response(await readAll(uploads)).arrayBuffer()).equals(sent)).toBe(true)
    // Small ones are left to the collector.
    expect(shown.reduce((sum, chunk) => sum + chunk.byteLength, 0)).toBeLessThan(200_000)
  } finally {
    server.close()
    await folder.remove()
  }
})

async function readAll(uploads: ReturnType<typeof createFsUploads>) {
  return (await uploads.read('u1', undefined, unhurried)) as ReadableStream<Uint8Array<ArrayBuffer>>
}
