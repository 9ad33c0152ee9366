// Memory stays flat, however large the layer and however many the clients. Real processes, measured by the kernel.

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { manifestText, pushBlob, putManifest } from '../support/http-client.ts'
import { randomBytes, sha256 } from '../support/image.ts'
import { digestOfBody, pushLargeBlob } from '../support/large-blob.ts'
import { peakMemoryMib, startPart, temporaryFolder, type Part } from '../support/stack.ts'

/** GiB of the large layer; CI takes 4. It needs as much disk. */
const largeGib = Number(process.env['MIRRORBALL_TEST_LARGE_GIB'] ?? 1)
const largeBytes = largeGib * 1024 ** 3

interface Parts {
  readonly bucket: Part
  readonly origin: Part
  readonly edge: Part
}

let remove: () => Promise<void>
let parts: Parts

beforeEach(async () => {
  const folder = await temporaryFolder()
  remove = folder.remove
  const bucket = await startPart('bucket', { 'data-dir': folder.path, 'bucket-listen': '127.0.0.1:0' })
  const origin = await startPart('origin', { 'data-dir': folder.path, 'origin-listen': '127.0.0.1:0' })
  const edge = await startPart('edge', {
    'data-dir': folder.path,
    'edge-listen': '127.0.0.1:0',
    'edge-origin-url': origin.url,
    'bucket-url': bucket.url,
  })
  parts = { bucket, origin, edge }
})

afterEach(async () => {
  for (const part of Object.values(parts)) await part.stop()
  await remove()
})

/** Each part's greatest memory so far, which has to stay under a limit, MiB. */
async function expectPeaksUnder(limitMib: number, what: string): Promise<void> {
  const peaks = await Promise.all(
    Object.entries(parts).map(async ([name, part]) => [name, await peakMemoryMib(part.child.pid ?? 0)] as const),
  )
  process.stdout.write(`${what}, peak MiB: ${peaks.map(([name, mib]) => `${name} ${mib.toFixed(0)}`).join(', ')}\n`)
  for (const [, mib] of peaks) expect(mib).toBeLessThan(limitMib)
}

describe('memory', () => {
  test('of ten clients that push and pull at once is flat, and none of them sees an error', async () => {
    const { origin, edge } = parts
    const layerBytes = 20_000_000
    await Promise.all(
      Array.from({ length: 10 }, async (_, client) => {
        for (let round = 0; round < 2; round++) {
          const name = `client/${client}`
          const config = JSON.stringify({ client, round })
          const layer = randomBytes(`${client}-${round}`, layerBytes)
          await pushBlob(origin.url, name, config)
          await pushBlob(origin.url, name, layer)
          const descriptor = {
            mediaType: 'application/vnd.oci.image.layer.v1.tar',
            digest: sha256(layer),
            size: layerBytes,
          }
          const manifest = manifestText(config, [], { layers: [descriptor] })
          expect((await putManifest(origin.url, name, 'latest', manifest)).status).toBe(201)
          for (const base of [edge.url, origin.url]) {
            const pulled = await fetch(`${base}/v2/${name}/manifests/latest`)
            expect(sha256(await pulled.text())).toBe(sha256(manifest))
            expect(await digestOfBody(await fetch(`${base}/v2/${name}/blobs/${sha256(layer)}`))).toBe(sha256(layer))
          }
        }
      }),
    )
    // 400 MB went in and 800 MB came out.
    await expectPeaksUnder(300, 'ten clients')
  })

  test(`of an origin that takes a layer of ${largeGib} GiB in one chunked PATCH stays under 250 MiB, and of a bucket that gives it`, async () => {
    const { origin, edge } = parts
    const digest = await pushLargeBlob(origin.url, 'very/large', largeBytes)
    const pulled = await fetch(`${edge.url}/v2/very/large/blobs/${digest}`)
    expect(pulled.headers.get('Content-Length')).toBe(String(largeBytes))
    expect(await digestOfBody(pulled)).toBe(digest)
    await expectPeaksUnder(250, `a layer of ${largeGib} GiB`)
  })
})
