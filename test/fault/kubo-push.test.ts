// A push whose receipt includes a Kubo that keeps the image: where Kubo is down or hangs the push fails in time and shows
// nothing, what is already there is still served, and the same push succeeds once Kubo is back.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { createHash } from 'node:crypto'
import { cidText, leafBytes, rawCid } from '../../shared/ipfs/cid.ts'
import { describeWith } from '../support/clients/programs.ts'
import { type FaultyProxy, startFaultyProxy } from '../support/ipfs/faulty-proxy.ts'
import {
  locationOf,
  manifestText,
  ociError,
  pushBlob,
  pushImage,
  putManifest,
  rootIn,
  startUpload,
  withDigest,
} from '../support/http-client.ts'
import { randomBytes, sha256 } from '../support/image.ts'
import { type Kubo, startKubo } from '../support/ipfs/kubo.ts'
import { anyPorts, eventually, type Part, startPart, temporaryFolder } from '../support/stack.ts'

/** Milliseconds until a call of Kubo is given up. */
const patience = 1500

describeWith(['ipfs'], 'an origin that keeps images in Kubo', () => {
  let folder: { path: string; remove: () => Promise<void> }
  let kubo: Kubo
  let proxy: FaultyProxy
  let origin: Part

  beforeAll(async () => {
    folder = await temporaryFolder()
    kubo = await startKubo()
    proxy = await startFaultyProxy(kubo.url)
    origin = await startPart('origin', {
      'data-dir': folder.path,
      ...anyPorts,
      'ipfs-backend': 'kubo',
      'ipfs-kubo-url': proxy.url,
      'ipfs-fetch-timeout-ms': String(patience),
    })
  })

  afterAll(async () => {
    await origin.stop()
    await proxy.stop()
    await kubo.stop()
    await folder.remove()
  })

  async function push(name: string, tag: string, seed: string): Promise<Response> {
    const layer = Buffer.from(randomBytes(seed, 1_500_000)).toString('latin1')
    for (const blob of ['{}', layer]) await pushBlob(origin.url, name, blob)
    return putManifest(origin.url, name, tag, manifestText('{}', [layer]))
  }

  test('takes a push while Kubo answers, and Kubo has it pinned', async () => {
    const answer = await push('kept/one', 'v1', 'one')
    const root = rootIn(answer)
    expect(answer.status).toBe(201)
    const pins: string[] = []
    for await (const { cid } of kubo.rpc.pin.ls({ type: 'recursive' })) pins.push(cid.toString())
    expect(pins).toContain(root)
  })

  test.each([
    ['dag/import', 'silent'],
    ['dag/import', 'half an answer'],
    ['add', 'stops reading'],
    ['add', 'reset at once'],
    ['pin/add', 'silent'],
    ['pin/add', 'refuses'],
  ] as const)(
    'refuses one with 503 while %s is %s, shows none of it, serves what is there, and takes it afterwards',
    async (path, fault) => {
      const name = `kept/${path.replace('/', '-')}-${fault.replaceAll(' ', '-')}`
      void proxy.failAt(path, fault)
      const answer = await push(name, 'v1', name)
      expect([answer.status, answer.headers.get('Retry-After'), (await ociError(answer)).code]).toEqual([
        503,
        '5',
        'UNAVAILABLE',
      ])
      expect((await fetch(`${origin.url}/v2/${name}/tags/list`)).status).toBe(404)
      expect((await fetch(`${origin.url}/v2/kept/one/manifests/v1`)).status).toBe(200)
      proxy.mend()
      const again = await push(name, 'v1', name)
      expect([again.status, again.headers.get('X-Ipfs-Path')]).toEqual([201, expect.stringMatching(/^\/ipfs\/bafybei/)])
    },
  )

  /** A session with more than two leaves in it, and the calls of `add` since it began. */
  async function uploadPart(name: string, layer: Uint8Array<ArrayBuffer>) {
    const before = proxy.calls.length
    const session = await startUpload(origin.url, name)
    const answer = await fetch(session, { method: 'PATCH', body: layer.subarray(0, 2_500_000) })
    expect(answer.status).toBe(202)
    return {
      next: locationOf(answer, origin.url),
      adds: () => proxy.calls.slice(before).filter((path) => path === 'add'),
    }
  }

  test.each(['kept/arriving', 'kept/arriving-broken'])('copies a layer of %s while it is uploaded', async (name) => {
    const layer = randomBytes(name, 3_500_000)
    const digest = sha256(layer)
    const isBroken = name.endsWith('broken')
    if (isBroken) void proxy.failAt('add', 'reset at once')
    const { next, adds } = await uploadPart(name, layer)
    await eventually('it is being copied', () => adds().length > 0)
    const done = await fetch(withDigest(next, digest), { method: 'PUT', body: layer.subarray(2_500_000) })
    expect(done.status).toBe(201)
    proxy.mend()
    await pushBlob(origin.url, name, '{}')
    const manifest = {
      ...(JSON.parse(manifestText('{}', [])) as object),
      layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size: layer.byteLength }],
    }
    const answer = await putManifest(origin.url, name, 'v1', JSON.stringify(manifest))
    expect(answer.status).toBe(201)
    // What broke is sent again, and what did not is not.
    if (!isBroken) expect(adds()).toHaveLength(1)
    const leaf = cidText(rawCid(createHash('sha256').update(layer.subarray(0, leafBytes)).digest()))
    expect((await kubo.localBlock(leaf))?.byteLength).toBe(leafBytes)
  })

  test.each([
    [
      'a digest that it does not have',
      (next: URL) => fetch(withDigest(next, sha256('another')), { method: 'PUT' }),
      400,
    ],
    ['a cancel', (next: URL) => fetch(next, { method: 'DELETE' }), 204],
  ] as const)('a copy ends when the upload ends with %s', async (what, end, status) => {
    const reached = proxy.failAt('add', 'silent')
    const { next } = await uploadPart('kept/ended', randomBytes(what, 2_500_000))
    const { closed } = await reached
    expect((await end(next)).status).toBe(status)
    await closed
    proxy.mend()
  })

  test('refuses one while nobody listens where Kubo was', async () => {
    const closed = await startFaultyProxy()
    await closed.stop()
    const alone = await temporaryFolder()
    const part = await startPart('origin', {
      'data-dir': alone.path,
      ...anyPorts,
      'ipfs-backend': 'kubo',
      'ipfs-kubo-url': closed.url,
    })
    await expect(pushImage(part.url, 'kept/three', 'v1', 'three')).rejects.toThrow('503')
    await part.stop()
    await alone.remove()
  })
})
