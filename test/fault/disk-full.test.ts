// An origin whose disk is full, or out of inodes: a real file system of a few MiB under the real process. Pushes are
// refused for a time, nothing half written is seen, pulls go on, and so do pushes once there is room again.

import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { manifestText, pushBlob, pushImage, putManifest, startUpload, withDigest } from '../support/http-client.ts'
import { randomBytes, sha256 } from '../support/image.ts'
import { missingSmallDisk, mountSmallDisk } from '../support/bucket/small-disk.ts'
import { type Part, startPart } from '../support/stack.ts'

const missing = await missingSmallDisk()
const mib = 1024 * 1024

describe.skipIf(missing !== undefined)(
  `an origin on a small disk${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    const disk = { path: '', remove: async () => {} }
    let origin: Part

    /** A small disk of this kind with an image on it. */
    async function start(options: string): Promise<void> {
      Object.assign(disk, await mountSmallDisk(options))
      origin = await startPart('origin', { 'data-dir': join(disk.path, 'data'), 'origin-listen': '127.0.0.1:0' })
      await pushImage(origin.url, 'disk/there', 'v1', 'there')
    }

    beforeEach(() => Object.assign(disk, { path: '', remove: async () => {} }))

    afterEach(async () => {
      await origin.stop()
      await disk.remove()
    })

    async function expectUnavailable(response: Response): Promise<void> {
      expect([response.status, response.headers.get('Retry-After')]).toEqual([503, '5'])
      expect([response.headers.get('Content-Type'), response.headers.get('Cache-Control')]).toEqual([
        'application/json',
        'no-store',
      ])
      expect(await response.json()).toMatchObject({ errors: [{ code: 'UNAVAILABLE' }] })
    }

    /** What was pushed before is served, and the process has no fault of its own to report. */
    async function expectPullsGoOn(): Promise<void> {
      const manifest = await fetch(`${origin.url}/v2/disk/there/manifests/v1`)
      expect(manifest.status).toBe(200)
      const { layers } = (await manifest.json()) as { layers: { digest: string }[] }
      const blob = await fetch(`${origin.url}/v2/disk/there/blobs/${layers[0]?.digest}`)
      expect(sha256(await blob.text())).toBe(layers[0]?.digest)
      expect((await fetch(`${origin.url}/v2/disk/there/tags/list`)).status).toBe(200)
      expect(origin.log.filter(({ level }) => level === 'error')).toEqual([])
    }

    const blobStatus = async (digest: string) => (await fetch(`${origin.url}/v2/disk/full/blobs/${digest}`)).status

    test('that gets full during an upload refuses it with 503; the session can be cancelled, and the space is free again', async () => {
      await start('size=8m')
      const large = randomBytes('too large', 12 * mib)
      const url = await startUpload(origin.url, 'disk/full')
      await expectUnavailable(await fetch(url, { method: 'PATCH', body: large }))
      expect(await blobStatus(sha256(large))).toBe(404)
      await expectPullsGoOn()
      // The session tells what it holds, and takes nothing more.
      const staged = Number(/^0-(\d+)$/.exec((await fetch(url)).headers.get('Range') ?? '')?.[1]) + 1
      expect(staged).toBeLessThan(8 * mib)
      await expectUnavailable(
        await fetch(withDigest(url, sha256(large)), { method: 'PUT', body: large.subarray(staged) }),
      )
      expect(await blobStatus(sha256(large))).toBe(404)
      expect((await fetch(url, { method: 'DELETE' })).status).toBe(204)
      const small = randomBytes('fits', 3 * mib)
      expect(await pushBlob(origin.url, 'disk/full', small)).toBe(sha256(small))
      expect(await blobStatus(sha256(small))).toBe(200)
      await expectPullsGoOn()
    })

    test('that gets full during an upload takes the rest of it once there is room', async () => {
      await start('size=12m')
      const ballast = join(disk.path, 'ballast')
      await writeFile(ballast, randomBytes('ballast', 8 * mib))
      const content = randomBytes('resumed', 6 * mib)
      const url = await startUpload(origin.url, 'disk/full')
      await expectUnavailable(await fetch(url, { method: 'PATCH', body: content }))
      const staged = Number(/^0-(\d+)$/.exec((await fetch(url)).headers.get('Range') ?? '')?.[1]) + 1
      await rm(ballast)
      const rest = { 'Content-Range': `${staged}-${content.length - 1}` }
      expect((await fetch(url, { method: 'PATCH', body: content.subarray(staged), headers: rest })).status).toBe(202)
      expect((await fetch(withDigest(url, sha256(content)), { method: 'PUT' })).status).toBe(201)
      expect(await blobStatus(sha256(content))).toBe(200)
    })

    test('that gets full during a blob in one POST leaves nothing of it', async () => {
      await start('size=8m')
      const large = randomBytes('too large', 12 * mib)
      const post = (body: Uint8Array<ArrayBuffer>) =>
        fetch(`${origin.url}/v2/disk/full/blobs/uploads/?digest=${sha256(body)}`, { method: 'POST', body })
      for (let round = 0; round < 3; round++) await expectUnavailable(await post(large))
      expect(await blobStatus(sha256(large))).toBe(404)
      // Three times as much as fits was refused: had any of it stayed, this would not fit.
      expect((await post(randomBytes('fits', 5 * mib))).status).toBe(201)
      await expectPullsGoOn()
    })

    test('that is full to the last byte refuses manifests and tags with 503, and a tag stays what it was', async () => {
      await start('size=8m')
      const before = await (await fetch(`${origin.url}/v2/disk/there/manifests/v1`)).text()
      const ballast = join(disk.path, 'ballast')
      await writeFile(ballast, randomBytes('ballast', 9 * mib)).catch((error: unknown) => {
        expect(error).toMatchObject({ code: 'ENOSPC' })
      })
      const config = /sha256:[0-9a-f]{64}/.exec(before)?.[0]
      const manifest = manifestText('', [], { config: { mediaType: 'a/b', digest: config, size: 1 } })
      for (const tag of ['v1', 'v2'])
        await expectUnavailable(await putManifest(origin.url, 'disk/there', tag, manifest))
      expect(await (await fetch(`${origin.url}/v2/disk/there/manifests/v1`)).text()).toBe(before)
      for (const reference of ['v2', sha256(manifest)])
        expect((await fetch(`${origin.url}/v2/disk/there/manifests/${reference}`)).status).toBe(404)
      expect(await (await fetch(`${origin.url}/v2/disk/there/tags/list`)).json()).toMatchObject({ tags: ['v1'] })
      await expectPullsGoOn()
      await rm(ballast)
      expect((await putManifest(origin.url, 'disk/there', 'v1', manifest)).status).toBe(201)
      expect(await (await fetch(`${origin.url}/v2/disk/there/manifests/v1`)).text()).toBe(manifest)
    })

    test('that has no inodes left refuses uploads, manifests and mounts with 503, and takes them once there are some', async () => {
      await start('size=8m,nr_inodes=160')
      const { digest } = await pushImage(origin.url, 'disk/more', 'v1', 'more')
      const takesAll: string[] = []
      for (let at = 0; ; at++) {
        const file = join(disk.path, `file-${at}`)
        const full = await writeFile(file, '').then(
          () => false,
          (error: NodeJS.ErrnoException) => error.code === 'ENOSPC',
        )
        if (full) break
        takesAll.push(file)
      }
      const mount = `${origin.url}/v2/disk/new/blobs/uploads/?mount=${sha256('layer of there')}&from=disk/there`
      const more = await (await fetch(`${origin.url}/v2/disk/more/manifests/${digest}`)).text()
      await expectUnavailable(await fetch(`${origin.url}/v2/disk/new/blobs/uploads/`, { method: 'POST' }))
      await expectUnavailable(await fetch(mount, { method: 'POST' }))
      await expectUnavailable(await putManifest(origin.url, 'disk/more', 'v2', more))
      expect((await fetch(`${origin.url}/v2/disk/more/manifests/v2`)).status).toBe(404)
      expect((await fetch(`${origin.url}/v2/disk/new/blobs/${sha256('layer of there')}`)).status).toBe(404)
      await expectPullsGoOn()
      for (const file of takesAll) await rm(file)
      expect((await fetch(mount, { method: 'POST' })).status).toBe(201)
      expect((await putManifest(origin.url, 'disk/more', 'v2', more)).status).toBe(201)
    })
  },
)
