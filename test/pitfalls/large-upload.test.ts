// Pitfall of large uploads, by its number. test/e2e/memory.test.ts takes several GiB at the origin.

import { createHash } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startUpload, withDigest } from '../support/http-client.ts'
import { randomChunks } from '../support/image.ts'
import { type Part, peakMemoryMib, startPart, temporaryFolder } from '../support/stack.ts'

const uploadBytes = 400 * 1024 * 1024
let folder: { path: string; remove: () => Promise<void> }
let origin: Part
let edge: Part

beforeAll(async () => {
  folder = await temporaryFolder()
  origin = await startPart('origin', { 'data-dir': folder.path, 'origin-listen': '127.0.0.1:0' })
  const options = { 'edge-listen': '127.0.0.1:0', 'edge-origin-url': origin.url, 'bucket-listen': '127.0.0.1:1971' }
  edge = await startPart('edge', { 'data-dir': folder.path, ...options })
})

afterAll(async () => {
  await edge.stop()
  await origin.stop()
  await folder.remove()
})

test('pitfall 57: a chunked PATCH of 400 MiB through the edge is buffered nowhere', async () => {
  const before = await Promise.all([edge, origin].map((part) => peakMemoryMib(part.child.pid ?? 0)))
  const url = await startUpload(edge.url, 'large/upload')
  const hash = createHash('sha256')
  async function* content() {
    for (const chunk of randomChunks('large', uploadBytes)) {
      hash.update(chunk)
      yield new Uint8Array(chunk)
    }
  }
  const patch = await fetch(url, { method: 'PATCH', body: ReadableStream.from(content()), duplex: 'half' })
  expect([patch.status, patch.headers.get('Range')]).toEqual([202, `0-${uploadBytes - 1}`])
  const digest = `sha256:${hash.digest('hex')}`
  expect((await fetch(withDigest(url, digest), { method: 'PUT' })).status).toBe(201)
  const after = await Promise.all([edge, origin].map((part) => peakMemoryMib(part.child.pid ?? 0)))
  // Streams, buffers of sockets and what the garbage collector leaves for later; less than half of the upload.
  for (const [at, mib] of after.entries()) expect(mib - (before[at] ?? 0)).toBeLessThan(180)
})
