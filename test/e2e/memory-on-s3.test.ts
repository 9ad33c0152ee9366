// Memory of an origin whose bucket is on S3, however large the layer. Real processes, measured by the kernel.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { miniflareS3, minio, type S3Server, s3Settings, versitygw } from '../support/bucket/s3-servers.ts'
import { digestOfBody, pushLargeBlob } from '../support/large-blob.ts'
import { type Part, peakMemoryMib, startPart, temporaryFolder } from '../support/stack.ts'

/** Miniflare's R2 takes no more in a reasonable time. */
const smallGib = 0.125

/** GiB; CI takes 4. */
const largeGib = Number(process.env['MIRRORBALL_TEST_LARGE_GIB'] ?? 1)

/** 300 MB. */
const limitMib = 286

describe.each([
  [miniflareS3, smallGib],
  [versitygw, largeGib],
  [minio, largeGib],
] as const)('on $name', (kind, gib) => {
  describe.skipIf(kind.missing !== undefined)(kind.missing ?? 'is there', () => {
    let server: S3Server
    let folder: { path: string; remove: () => Promise<void> }
    let origin: Part

    beforeAll(async () => {
      server = await kind.start()
      folder = await temporaryFolder()
      const settings = { 'data-dir': folder.path, 'origin-listen': '127.0.0.1:0', ...s3Settings(server.access) }
      origin = await startPart('origin', settings)
    })
    afterAll(async () => {
      await origin.stop()
      await server.stop()
      await folder.remove()
    })

    test(`a layer of ${gib} GiB takes the origin less than 300 MB, and is there`, async () => {
      const sizeBytes = gib * 1024 ** 3
      const digest = await pushLargeBlob(origin.url, 'very/large', sizeBytes)
      const peak = await peakMemoryMib(origin.child.pid ?? 0)
      process.stdout.write(`a layer of ${gib} GiB on ${kind.name}: origin at most ${peak.toFixed(0)} MiB\n`)
      expect(peak).toBeLessThan(limitMib)
      const pulled = await fetch(`${origin.url}/v2/very/large/blobs/${digest}`)
      expect(pulled.headers.get('Content-Length')).toBe(String(sizeBytes))
      expect(await digestOfBody(pulled)).toBe(digest)
    }, 1_200_000)
  })
})
