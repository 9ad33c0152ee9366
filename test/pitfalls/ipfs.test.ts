// Pitfalls of content that comes by its CID, by their numbers.

import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { createGatewaySource } from '../../origin/ipfs/gateways/gateway-source.ts'
import { systemClock } from '../../origin/compose/system-ports.ts'
import { cidOfSmallBlob, cidText, rawCid } from '../../shared/ipfs/cid.ts'
import { leafCount, shapeOfFile } from '../../shared/ipfs/file-shape.ts'
import { imageRoot } from '../../shared/ipfs/image-root.ts'
import { blobKey } from '../../shared/layout/keys.ts'
import type { Cid } from '../../shared/protocol/cid.ts'
import type { Digest } from '../../shared/protocol/digest.ts'
import { startGateway } from '../support/ipfs/gateway.ts'
import { manifestText, ociManifestType } from '../support/http-client.ts'
import { randomBytes, sha256 } from '../support/image.ts'
import { createRegistry, pushTo, sourceOf } from '../support/ipfs/ipfs-world.ts'
import { anyPorts, peakMemoryMib, startPart, temporaryFolder } from '../support/stack.ts'

const mib = 1024 * 1024

test('pitfall 42: <cid>@sha256:<hex> round-trips: what was pulled by it has that digest, and pushed again that CID', async () => {
  const there = createRegistry()
  const pushed = await pushTo(there.origin, 'some/image', ['a layer', 'another'])
  const here = createRegistry({ sources: [sourceOf(there.blocks)] })
  for (const face of ['origin', 'edge'] as const) {
    const pulled = await here[face].request(`/v2/${pushed.root}/manifests/${pushed.digest}`)
    expect([pulled.status, sha256(await pulled.text())]).toEqual([200, pushed.digest])
  }
  const blobs = await Promise.all(
    ['a layer', 'another'].map(async (layer) =>
      (await here.origin.request(`/v2/${pushed.root}/blobs/${sha256(layer)}`)).text(),
    ),
  )
  expect(await pushTo(createRegistry().origin, 'other/name', blobs, 'another-tag')).toMatchObject({
    digest: pushed.digest,
    root: pushed.root,
  })
})

test('pitfall 43: a gateway that gives something else under a CID is not believed', async () => {
  const bytes = new TextEncoder().encode('not what the CID names')
  const root = String(cidOfSmallBlob(sha256('what the CID names') as Digest, 18)).replace('bafkrei', 'bafybei') as Cid
  const gateway = await startGateway(new Map([[root, bytes]]))
  const limits = { clock: systemClock, firstByteMs: 1000, idleMs: 1000 }
  const source = createGatewaySource({ url: gateway.url, fetch: (url, init) => fetch(url, init), ...limits })
  const { origin, objects } = createRegistry({ sources: [source] })
  expect((await origin.request(`/v2/${root}/manifests/latest`)).status).toBe(503)
  expect([...objects.keys()]).toEqual([])
  await gateway.stop()
})

test('pitfall 44: a layer of 400 MiB that comes from IPFS is nowhere held whole in memory', async () => {
  const { blocks, root, digest } = await largeImage(400)
  const gateway = await startGateway(blocks)
  const folder = await temporaryFolder()
  const options = { 'data-dir': folder.path, ...anyPorts, 'ipfs-gateways': gateway.url.origin }
  const origin = await startPart('origin', options)
  try {
    const hash = createHash('sha256')
    const answer = await fetch(`${origin.url}/v2/${root}/blobs/${digest}`)
    for await (const chunk of answer.body ?? []) hash.update(chunk as Uint8Array)
    expect(`sha256:${hash.digest('hex')}`).toBe(digest)
    expect(await peakMemoryMib(origin.child.pid ?? 0)).toBeLessThan(300)
  } finally {
    await origin.stop()
    await gateway.stop()
    await folder.remove()
  }
})

test('pitfall 45: what proves a pull by CID had nothing of the image before, and needs who has it', async () => {
  const there = createRegistry()
  const image = await pushTo(there.origin, 'some/image', ['a layer'])
  const alone = createRegistry({ sources: [] })
  expect((await alone.origin.request(`/v2/${image.root}/manifests/latest`)).status).toBe(404)
  const asked: string[] = []
  const here = createRegistry({ sources: [sourceOf(there.blocks, (cid) => void asked.push(cid))] })
  expect(here.objects.size).toBe(0)
  expect((await here.edge.request(`/v2/${image.root}/manifests/latest`)).status).toBe(200)
  expect((await here.edge.request(`/v2/${image.root}/blobs/${sha256('a layer')}`)).status).toBe(200)
  expect(asked).toContain(cidOfSmallBlob(sha256('a layer') as Digest, 'a layer'.length))
  expect(here.objects.has(blobKey(sha256('a layer') as Digest))).toBe(true)
})

/** An image whose layer is of 64 different leaves, over and over, so that it takes no memory here. */
async function largeImage(layerMib: number) {
  const leaves = Array.from({ length: 64 }, (_, at) => new Uint8Array(randomBytes(`leaf ${at}`, mib)))
  const hashes = leaves.map((leaf) => createHash('sha256').update(leaf).digest())
  const [whole, size] = [createHash('sha256'), layerMib * mib]
  for (let at = 0; at < layerMib; at++) whole.update(leaves[at % leaves.length] ?? new Uint8Array())
  const digest = `sha256:${whole.digest('hex')}` as Digest
  const layer = await shapeOfFile(
    size,
    Array.from({ length: leafCount(size) }, (_, at) => hashes[at % hashes.length] ?? new Uint8Array()),
  )
  const manifest = JSON.stringify({
    ...(JSON.parse(manifestText('{}', [])) as object),
    layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size }],
  })
  const small = (text: string) => ({
    digest: sha256(text) as Digest,
    file: { cid: cidOfSmallBlob(sha256(text) as Digest, text.length) as Cid, dagSizeBytes: text.length },
  })
  const top = { digest: sha256(manifest) as Digest, mediaType: ociManifestType, sizeBytes: manifest.length }
  const root = await imageRoot(top, [
    { ...small(manifest), asManifest: true, asBlob: false },
    { ...small('{}'), asManifest: false, asBlob: true },
    { digest, file: layer, asManifest: false, asBlob: true },
  ])
  const blocks = new Map<Cid, Uint8Array>([...root.blocks, ...layer.nodes].map(({ cid, bytes }) => [cid, bytes]))
  for (const [at, hash] of hashes.entries()) blocks.set(cidText(rawCid(hash)), leaves[at] ?? new Uint8Array())
  for (const text of [manifest, '{}']) blocks.set(small(text).file.cid, new TextEncoder().encode(text))
  return { blocks, root: root.cid, digest }
}
