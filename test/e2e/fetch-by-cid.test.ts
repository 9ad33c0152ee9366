// An image that was pushed to one registry is pulled from another by its CID alone, over IPFS: with buckets of their own,
// and nothing but a peer's address between them.

import { stat } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { manifestText, ociError, pushBlob, putManifest, rootIn } from '../support/http-client.ts'
import { randomBytes, sha256 } from '../support/image.ts'
import { lookAtFilesIn } from '../support/registry-content.ts'
import { startStack, type Stack } from '../support/stack.ts'

const anyLoopback = '/ip4/127.0.0.1/tcp/0'

let pushedTo: Stack
let pulledFrom: Stack

beforeAll(async () => {
  pushedTo = await startStack('node', undefined, { 'ipfs-listen': anyLoopback })
  const [peer] = String(pushedTo.log('origin').find(({ msg }) => msg === 'ready')?.['ipfs']).split(',')
  pulledFrom = await startStack('node', undefined, { 'ipfs-peers': peer ?? '', 'ipfs-fetch-timeout-ms': '9000' })
})

afterAll(async () => {
  await pulledFrom.stop()
  await pushedTo.stop()
})

/** An image with a layer of several leaves. */
async function pushLarge(base: string, name: string, seed: string) {
  const [config, layer] = [JSON.stringify({ seed }), randomBytes(seed, 5_000_000)]
  await pushBlob(base, name, config)
  await pushBlob(base, name, layer)
  const manifest = JSON.stringify({
    ...(JSON.parse(manifestText(config, [])) as object),
    layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: sha256(layer), size: layer.byteLength }],
  })
  const answer = await putManifest(base, name, 'latest', manifest)
  expect(answer.status).toBe(201)
  return { root: rootIn(answer), manifest, layer, config }
}

describe.each([
  ['the origin', () => pulledFrom.originUrl],
  ['the edge', () => pulledFrom.edgeUrl],
])('through %s', (face, base) => {
  test('an image that was never seen there comes whole, and is a hit the next time', async () => {
    const image = await pushLarge(pushedTo.originUrl, 'far/away', `never seen at ${face}`)
    const head = await fetch(`${base()}/v2/${image.root}/manifests/latest`, { method: 'HEAD' })
    expect([head.status, head.headers.get('Docker-Content-Digest')]).toEqual([200, sha256(image.manifest)])
    const manifest = await fetch(`${base()}/v2/${image.root}/manifests/${sha256(image.manifest)}`)
    expect([manifest.status, await manifest.text()]).toEqual([200, image.manifest])
    const url = `${base()}/v2/${image.root}/blobs/${sha256(image.layer)}`
    expect((await fetch(url, { method: 'HEAD' })).headers.get('Content-Length')).toBe(String(image.layer.byteLength))
    const answers = await Promise.all([1, 2, 3].map(() => fetch(url)))
    const layers = await Promise.all(answers.map(async (answer) => sha256(new Uint8Array(await answer.arrayBuffer()))))
    expect(new Set(layers)).toEqual(new Set([sha256(image.layer)]))
    const again = await fetch(url, { redirect: 'manual' })
    await again.body?.cancel()
    expect(again.status).toBe(face === 'the edge' ? 307 : 200)
  })
})

test('an image on IPFS lies on the disk once, where it was pushed and where it was pulled by its CID', async () => {
  const [before, beforeThere] = [await bytesUnder(pushedTo.dataFolder), await bytesUnder(pulledFrom.dataFolder)]
  const image = await pushLarge(pushedTo.originUrl, 'once/only', 'no second copy')
  const content = image.layer.byteLength + image.config.length + image.manifest.length
  // Beside it there are links, records, and 45 bytes for each mebibyte.
  expect((await bytesUnder(pushedTo.dataFolder)) - before).toBeLessThan(content + 10_000)
  await (await fetch(`${pulledFrom.originUrl}/v2/${image.root}/manifests/latest`)).arrayBuffer()
  await (await fetch(`${pulledFrom.originUrl}/v2/${image.root}/blobs/${sha256(image.layer)}`)).arrayBuffer()
  expect((await bytesUnder(pulledFrom.dataFolder)) - beforeThere).toBeLessThan(content + 10_000)
})

async function bytesUnder(folder: string): Promise<number> {
  const sizes = await lookAtFilesIn(folder, async (file) => (await stat(file)).size)
  return Object.values(sizes).reduce((sum, size) => sum + size, 0)
}

test('what nobody has is a 404 that says how long was waited, and is not searched for again at once', async () => {
  const { root } = await pushLarge(pulledFrom.originUrl, 'some/name', 'another')
  const unknown = `${root.slice(0, -4)}aaaa`
  const answer = await fetch(`${pulledFrom.originUrl}/v2/${unknown}/manifests/latest`)
  const { status, code, detail } = await ociError(answer)
  expect([status, code, detail]).toEqual([404, 'MANIFEST_UNKNOWN', expect.stringMatching(/no source .* \d+ ms/)])
})
