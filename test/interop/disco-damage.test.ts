// Files in the bucket that were cut short, which Forta's Disco serves as they are: where the right size is known they
// count as missing and come back from Kubo, and nothing wrong is ever put on IPFS.

import { readFile, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { referenceAt } from '../support/clients/image-client.ts'
import type { ImageClient } from '../support/clients/image-client.ts'
import { startSkopeo } from '../support/clients/layout-clients.ts'
import { missingClients } from '../support/clients/programs.ts'
import { ociError, pushBlob } from '../support/http-client.ts'
import { makeImage, type TestImage } from '../support/image.ts'
import { type Kubo, startKubo } from '../support/ipfs/kubo.ts'
import { blobPathOf, purgeKubo } from '../support/bucket/purge.ts'
import { startStack, type Stack, temporaryFolder } from '../support/stack.ts'

const missing = missingClients('ipfs', 'skopeo')

describe.skipIf(missing !== undefined)(`a bucket with files that were cut short (${missing ?? 'real'})`, () => {
  let kubo: Kubo
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  let skopeo: ImageClient
  let stack: Stack
  let image: TestImage
  let root: string

  beforeEach(async () => {
    kubo = await startKubo()
    folder = await temporaryFolder()
    skopeo = await startSkopeo()
    stack = await startStack('node', undefined, {
      'ipfs-backend': 'kubo',
      'ipfs-kubo-url': kubo.url,
      'ipfs-fetch-timeout-ms': '6000',
    })
    image = await makeImage(folder.path, 'cut short', [3_000_000])
    await skopeo.push(image, `${referenceAt(stack.originUrl, 'whole')}:latest`)
    root = (await pathOf('whole')) ?? ''
    expect(root).toMatch(/^bafybei/)
  })

  afterEach(async () => {
    await stack.stop()
    await skopeo.stop()
    await folder.remove()
    await kubo.stop()
  })

  const layer = () => image.layers[0] ?? image.config
  const fileOf = (digest: string) => join(stack.dataFolder, 'bucket', blobPathOf(digest))

  async function pathOf(name: string): Promise<string | undefined> {
    const answer = await fetch(`${stack.originUrl}/v2/${name}/manifests/latest`)
    return answer.headers.get('X-Ipfs-Path')?.slice('/ipfs/'.length)
  }

  async function pulls(base: string, name: string): Promise<void> {
    const pulled = await skopeo.pull(`${referenceAt(base, name)}:latest`)
    expect(pulled.manifestDigest).toBe(image.manifest.digest)
  }

  /** Sends the image's manifest again; returns what is said of its root. */
  async function pushManifestAgain(manifest: Uint8Array<ArrayBuffer>): Promise<string | null> {
    const answer = await fetch(`${stack.originUrl}/v2/whole/manifests/latest`, { method: 'PUT', body: manifest })
    expect(answer.status).toBe(201)
    return answer.headers.get('X-Ipfs-Path')
  }

  test.each(['originUrl', 'edgeUrl'] as const)('heals a layer when its image is pulled by CID at %s', async (face) => {
    const { digest, sizeBytes } = layer()
    await truncate(fileOf(digest), 1_000_000)
    const head = await fetch(`${stack[face]}/v2/${root}/blobs/${digest}`, { method: 'HEAD' })
    expect([head.status, head.headers.get('Content-Length')]).toEqual([200, String(sizeBytes)])
    await pulls(stack[face], root)
    expect((await stat(fileOf(digest))).size).toBe(sizeBytes)
    await pulls(stack[face], 'whole')
  })

  test.each(['originUrl', 'edgeUrl'] as const)('heals a config that lost all its bytes, at %s', async (face) => {
    await truncate(fileOf(image.config.digest), 0)
    await pulls(stack[face], image.manifest.digest.slice('sha256:'.length))
  })

  test.each([
    ['originUrl', 'by its pushed name', (): string => 'whole'],
    ['edgeUrl', 'by its pushed name', (): string => 'whole'],
    ['originUrl', 'by its CID', (): string => root],
    ['edgeUrl', 'by its CID', (): string => root],
  ] as const)('heals a manifest at %s when it is pulled %s', async (face, _, name) => {
    const { digest, sizeBytes } = image.manifest
    await truncate(fileOf(digest), sizeBytes - 1)
    await pulls(stack[face], name())
    expect((await stat(fileOf(digest))).size).toBe(sizeBytes)
  })

  test.each(['originUrl', 'edgeUrl'] as const)(
    'is seen by the client where only the pushed name is known, at %s',
    async (face) => {
      await truncate(fileOf(layer().digest), 1_000_000)
      await expect(skopeo.pull(`${referenceAt(stack[face], 'whole')}:latest`)).rejects.toThrow()
    },
  )

  test.each(['originUrl', 'edgeUrl'] as const)(
    'serves none of it under the CID where nobody has it, at %s',
    async (face) => {
      await truncate(fileOf(layer().digest), 1_000_000)
      await truncate(fileOf(image.manifest.digest), 10)
      await purgeKubo(kubo)
      const blob = await fetch(`${stack[face]}/v2/${root}/blobs/${layer().digest}`)
      expect(await ociError(blob)).toMatchObject({ status: 404, code: 'BLOB_UNKNOWN' })
      const manifest = await fetch(`${stack[face]}/v2/${root}/manifests/latest`)
      expect(manifest.status).toBe(503)
    },
  )

  test('does not get a root for what is cut short; uploaded again it is whole, and has the root it had', async () => {
    const { digest } = layer()
    const content = await readFile(fileOf(digest))
    const leaves = join(stack.dataFolder, 'bucket', 'mirrorball', 'leaves', digest.replace(':', '/'))
    const recorded = await readFile(leaves, 'utf8')
    await truncate(fileOf(digest), 1_000_000)
    const manifest = new Uint8Array(await readFile(fileOf(image.manifest.digest)))
    expect(await pushManifestAgain(manifest)).toBeNull()
    expect(await readFile(leaves, 'utf8')).toBe(recorded)
    await pushBlob(stack.originUrl, 'whole', new Uint8Array(content))
    expect(await pushManifestAgain(manifest)).toBe(`/ipfs/${root}`)
    await pulls(stack.edgeUrl, 'whole')
  })
})
