// Pitfall of large uploads, by its number. test/e2e/memory.test.ts takes several GiB at the origin.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { pushLargeBlob } from '../support/large-blob.ts'
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
  await pushLargeBlob(edge.url, 'large/upload', uploadBytes)
  const after = await Promise.all([edge, origin].map((part) => peakMemoryMib(part.child.pid ?? 0)))
  // Streams, buffers of sockets and what the garbage collector leaves for later; less than half of the upload.
  for (const [at, mib] of after.entries()) expect(mib - (before[at] ?? 0)).toBeLessThan(180)
})
