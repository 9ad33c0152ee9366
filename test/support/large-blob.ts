// A blob that nobody holds whole: made while it is sent.

import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import { startUpload, withDigest } from './http-client.ts'
import { randomChunks } from './image.ts'

/** Pushes random bytes in one chunked PATCH, without a length; returns their digest. */
export async function pushLargeBlob(base: string, name: string, sizeBytes: number): Promise<string> {
  const url = await startUpload(base, name)
  const hash = createHash('sha256')
  async function* content() {
    for (const chunk of randomChunks('large', sizeBytes)) {
      hash.update(chunk)
      yield new Uint8Array(chunk)
    }
  }
  const patch = await fetch(url, { method: 'PATCH', body: ReadableStream.from(content()), duplex: 'half' })
  expect([patch.status, patch.headers.get('Range')]).toEqual([202, `0-${sizeBytes - 1}`])
  const digest = `sha256:${hash.digest('hex')}`
  expect((await fetch(withDigest(url, digest), { method: 'PUT' })).status).toBe(201)
  return digest
}

/** Reads a body to its end without keeping it. */
export async function digestOfBody(response: Response): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of response.body ?? []) hash.update(chunk)
  return `sha256:${hash.digest('hex')}`
}
