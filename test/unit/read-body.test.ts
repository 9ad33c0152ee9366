// Bodies that are held whole: what is too long is refused, but not before a client that sends a little too much was heard.

import { describe, expect, test } from 'vitest'
import { readBody } from '../../shared/http/read-body.ts'

const limit = 1000
const pieceBytes = 100

/** A body that is asked for piece by piece, and how many pieces of it were read. */
function request(sizeBytes: number, stated: boolean) {
  let read = 0
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (read * pieceBytes >= sizeBytes) return controller.close()
        const length = Math.min(pieceBytes, sizeBytes - read * pieceBytes)
        read += 1
        controller.enqueue(new Uint8Array(length).fill(read))
      },
    },
    { highWaterMark: 0 },
  )
  const headers = stated ? { 'Content-Length': String(sizeBytes) } : {}
  const made = new Request('http://registry.example/', { method: 'PUT', body, headers, duplex: 'half' })
  return { made, read: () => read }
}

describe.each([
  ['with', true],
  ['without', false],
] as const)('%s a stated length', (_, stated) => {
  test.each([0, 1, limit - 1, limit])('%i bytes come as they were sent', async (sizeBytes) => {
    const bytes = await readBody(request(sizeBytes, stated).made, limit)
    expect([...bytes]).toEqual(Array.from({ length: sizeBytes }, (_unused, at) => Math.floor(at / pieceBytes) + 1))
  })

  test.each([limit + 1, 2 * limit])('%i bytes are read to their end, and refused', async (sizeBytes) => {
    const { made, read } = request(sizeBytes, stated)
    await expect(readBody(made, limit)).rejects.toMatchObject({ code: 'SIZE_INVALID', status: 413 })
    expect(read()).toBe(Math.ceil(sizeBytes / pieceBytes))
  })

  test('of far more bytes the rest is not waited for', async () => {
    const { made, read } = request(100 * limit, stated)
    await expect(readBody(made, limit)).rejects.toMatchObject({ code: 'SIZE_INVALID', status: 413 })
    expect(read()).toBe(stated ? 0 : (2 * limit) / pieceBytes + 1)
  })
})
