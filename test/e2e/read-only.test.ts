// A registry that is read-only: everything that writes is refused at every face, reads go on, and nothing is written,
// also where nothing could be.

import { readdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { routeMethods } from '../../shared/http/routes.ts'
import { ociError, pushImage, type SmallImage, startUpload } from '../support/http-client.ts'
import { sha256 } from '../support/image.ts'
import { readOnlyFolder, type ReadOnlyFolder, snapshot } from '../support/bucket/read-only-folder.ts'
import { eventually, type Part, startPart, temporaryFolder } from '../support/stack.ts'

const loopback = '127.0.0.1:0'
const name = 'read/only'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let image: SmallImage
let session: URL
const parts: Part[] = []

beforeAll(async () => {
  folder = await temporaryFolder()
  const origin = await startPart('origin', { 'data-dir': folder.path, 'origin-listen': loopback })
  image = await pushImage(origin.url, name, 'v1', 'read-only')
  session = await startUpload(origin.url, name)
  await fetch(session, { method: 'PATCH', body: 'some bytes' })
  await origin.stop()
})

afterAll(async () => {
  for (const part of parts.splice(0).toReversed()) await part.stop()
  await folder.remove()
})

async function startReadOnly(verb: 'origin' | 'edge' | 'bucket', options: Record<string, string>): Promise<Part> {
  const part = await startPart(verb, {
    'data-dir': folder.path,
    'access-read-only': 'true',
    [`${verb}-listen`]: loopback,
    ...options,
  })
  parts.push(part)
  return part
}

/** Every route with every method that it has for anything but reading. */
function writes(): { method: string; path: string }[] {
  const paths = {
    manifest: `/v2/${name}/manifests/v1`,
    blob: `/v2/${name}/blobs/${sha256(image.layer)}`,
    uploads: `/v2/${name}/blobs/uploads/`,
    upload: session.pathname,
  }
  return Object.entries(paths).flatMap(([kind, path]) =>
    routeMethods[kind as keyof typeof paths]
      .filter((method) => method !== 'GET' && method !== 'HEAD')
      .map((method) => ({ method, path })),
  )
}

async function expectReadOnly(base: string): Promise<void> {
  const all = writes()
  expect(new Set(all.map(({ method }) => method))).toEqual(new Set(['POST', 'PATCH', 'PUT', 'DELETE']))
  for (const { method, path } of all) {
    const body = method === 'DELETE' ? null : 'some content'
    const response = await fetch(`${base}${path}?digest=${sha256('x')}`, { method, body })
    const copy = response.clone()
    expect({ method, path, ...(await ociError(response)) }).toMatchObject({
      method,
      path,
      status: 405,
      code: 'UNSUPPORTED',
    })
    expect(await copy.text()).toContain('"message":"this registry is read-only"')
  }
  for (const reference of ['v1', image.digest]) {
    expect(await (await fetch(`${base}/v2/${name}/manifests/${reference}`)).text()).toBe(image.manifest)
  }
  expect(await (await fetch(`${base}/v2/${name}/blobs/${sha256(image.layer)}`)).text()).toBe(image.layer)
  expect(await (await fetch(`${base}/v2/${name}/tags/list`)).json()).toEqual({ name, tags: ['v1'] })
  expect((await fetch(`${base}/v2/_catalog`)).status).toBe(200)
  expect((await fetch(`${base}/readyz`)).status).toBe(200)
}

describe('a read-only registry', () => {
  test('at the origin refuses every write, serves every read, and changes nothing on disk', async () => {
    const bucket = join(folder.path, 'bucket')
    const before = await snapshot(bucket)
    const origin = await startReadOnly('origin', {})
    await expectReadOnly(origin.url)
    await origin.stop()
    expect(await snapshot(bucket)).toEqual(before)
    expect(origin.log.some(({ msg }) => msg === 'uploads expired')).toBe(false)
  })

  test.each(['node', 'workerd'])('at the edge on %s refuses by itself, without its origin', async (runtime) => {
    const bucket = await startReadOnly('bucket', {})
    const edge = await startReadOnly('edge', {
      edge: runtime,
      'bucket-url': bucket.url,
      // Nobody answers there.
      'edge-origin-url': 'http://127.0.0.1:1',
    })
    await expectReadOnly(edge.url)
  })

  test('does not make the folder that is not there, says that it is not ready, and serves it once it is', async () => {
    const missing = join(folder.path, 'not-there')
    const origin = await startReadOnly('origin', { 'bucket-folder': missing })
    expect((await fetch(`${origin.url}/readyz`)).status).toBe(503)
    expect((await fetch(`${origin.url}/v2/${name}/manifests/v1`)).status).toBe(404)
    expect(await readdir(folder.path)).not.toContain('not-there')
    await symlink(join(folder.path, 'bucket'), missing)
    await eventually('it is ready', async () => (await fetch(`${origin.url}/readyz`)).status === 200)
    await expectReadOnly(origin.url)
  })

  test('works on a folder that cannot be written, where an origin that should write says that it is not ready', async (context) => {
    const readOnly: ReadOnlyFolder | undefined = await readOnlyFolder(
      join(folder.path, 'bucket'),
      join(folder.path, 'mounted'),
    )
    if (readOnly === undefined) return context.skip('root may not mount here')
    try {
      const origin = await startReadOnly('origin', { 'bucket-folder': readOnly.path })
      await expectReadOnly(origin.url)
      await origin.stop()
      const writing = await startPart('origin', {
        'data-dir': folder.path,
        'bucket-folder': readOnly.path,
        'origin-listen': loopback,
      })
      parts.push(writing)
      const response = await fetch(`${writing.url}/readyz`)
      expect([response.status, await response.json()]).toEqual([
        503,
        { ready: false, checks: { bucket_read: 'ok', bucket_write: 'failed' } },
      ])
      expect((await fetch(`${writing.url}/v2/${name}/manifests/v1`)).status).toBe(200)
      await writing.stop()
    } finally {
      await readOnly.release()
    }
  })
})
