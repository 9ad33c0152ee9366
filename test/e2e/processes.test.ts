// The processes as a person runs them: one command, signals, draining, free ports, and what refuses to start.

import { connect } from 'node:net'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { manifestText, pushBlob, pushImage, putManifest, startUpload, withDigest } from '../support/http-client.ts'
import { sha256 } from '../support/image.ts'
import { anyPorts, eventually, startPart, startStack, temporaryFolder } from '../support/stack.ts'

/** Whether anybody listens there. */
async function isTaken(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url)
  return new Promise((done) => {
    const socket = connect(Number(port), hostname)
    socket.once('connect', () => {
      socket.destroy()
      done(true)
    })
    socket.once('error', () => done(false))
  })
}

describe.each(['node', 'workerd'] as const)('the supervisor, with the edge on %s', (runtime) => {
  test('says what to type next, and after SIGTERM no part and no port is left', async () => {
    const stack = await startStack(runtime)
    await eventually('the text is there', () => stack.up.text().includes('Ctrl-C'))
    expect(stack.up.text()).toContain(
      `docker push ${new URL(stack.originUrl).host.replace('127.0.0.1', 'localhost')}/IMAGE`,
    )
    expect(stack.up.text()).toContain(
      `docker pull ${new URL(stack.edgeUrl).host.replace('127.0.0.1', 'localhost')}/IMAGE`,
    )
    expect(stack.up.text()).toContain(stack.dataFolder)
    expect(await stack.up.stop()).toBe(0)
    for (const url of [stack.originUrl, stack.edgeUrl, stack.bucketUrl]) expect(await isTaken(url)).toBe(false)
    await stack.stop()
  })

  test('killed without mercy takes its parts with it', async () => {
    const stack = await startStack(runtime)
    await stack.up.kill()
    for (const url of [stack.originUrl, stack.edgeUrl, stack.bucketUrl]) {
      await eventually(`${url} is free`, async () => !(await isTaken(url)))
    }
    await stack.stop()
  })

  test('with the origin stopped, everything that was pushed can still be pulled through the edge', async () => {
    const { path: folder, remove } = await temporaryFolder()
    const bucket = await startPart('bucket', { 'data-dir': folder, 'bucket-listen': '127.0.0.1:0' })
    const origin = await startPart('origin', { 'data-dir': folder, 'origin-listen': '127.0.0.1:0' })
    const image = await pushImage(origin.url, 'still/there', 'v1', 'outage')
    const edge = await startPart('edge', {
      'data-dir': folder,
      edge: runtime,
      'edge-listen': '127.0.0.1:0',
      'edge-origin-url': origin.url,
      'bucket-url': bucket.url,
    })
    await origin.stop()
    for (const reference of ['v1', image.digest]) {
      expect(await (await fetch(`${edge.url}/v2/still/there/manifests/${reference}`)).text()).toBe(image.manifest)
    }
    for (const blob of [image.config, image.layer]) {
      expect(await (await fetch(`${edge.url}/v2/still/there/blobs/${sha256(blob)}`)).text()).toBe(blob)
    }
    expect(await (await fetch(`${edge.url}/v2/still/there/tags/list`)).json()).toEqual({
      name: 'still/there',
      tags: ['v1'],
    })
    const push = await fetch(`${edge.url}/v2/still/there/blobs/uploads/`, { method: 'POST' })
    expect([push.status, push.headers.get('Retry-After')]).toEqual([503, '5'])
    for (const part of [edge, bucket]) await part.stop()
    await remove()
  })
})

describe('an origin that is told to stop', () => {
  test('lets the request in flight end, takes no new one, and leaves nothing half-written', async () => {
    const { path: folder, remove } = await temporaryFolder()
    const origin = await startPart('origin', { 'data-dir': folder, 'origin-listen': '127.0.0.1:0' })
    const url = await startUpload(origin.url, 'drain/me')
    const { readable, writable } = new TransformStream<Uint8Array>()
    const writer = writable.getWriter()
    const patch = fetch(url, { method: 'PATCH', body: readable, duplex: 'half' })
    await writer.write(new TextEncoder().encode('begun before, '))
    await eventually(
      'the bytes have reached the origin',
      async () => (await readdir(join(folder, 'bucket/mirrorball/uploads'))).length === 1,
    )
    const stopped = origin.stop()
    await eventually('no new connection is taken', async () => !(await isTaken(origin.url)))
    await writer.write(new TextEncoder().encode('ended after'))
    await writer.close()
    const response = await patch
    expect([response.status, response.headers.get('Range')]).toEqual([202, '0-24'])
    expect(await stopped).toBe(0)
    expect(await readdir(join(folder, 'bucket/.tmp'))).toEqual([])
    await remove()
  })

  test('cuts what does not end, after the time it was given', async () => {
    const { path: folder, remove } = await temporaryFolder()
    const origin = await startPart('origin', {
      'data-dir': folder,
      'origin-listen': '127.0.0.1:0',
      'http-drain-ms': '200',
    })
    const url = await startUpload(origin.url, 'drain/me')
    const { readable, writable } = new TransformStream<Uint8Array>()
    const patch = fetch(url, { method: 'PATCH', body: readable, duplex: 'half' }).catch((error: unknown) => error)
    await writable.getWriter().write(new TextEncoder().encode('and never more'))
    expect(await origin.stop()).toBe(0)
    expect(await patch).toBeInstanceOf(TypeError)
    await remove()
  })
})

describe('what refuses to start', () => {
  const cases: [string, 'up' | 'origin' | 'bucket' | 'edge', Record<string, string>, RegExp][] = [
    [
      'an address others can reach, without rights',
      'origin',
      { 'origin-listen': '0.0.0.0:0' },
      /access\.anonymous.*must be set/,
    ],
    [
      'an origin whose edge others can reach, without rights',
      'origin',
      { ...anyPorts, 'edge-listen': '0.0.0.0:0' },
      /access\.anonymous.*must be set, because edge\.listen/,
    ],
    ['the whole, when one part may not', 'up', { ...anyPorts, 'edge-listen': '0.0.0.0:0' }, /origin did not start/],
    [
      'a bucket on all addresses, without a name for it',
      'bucket',
      { 'bucket-listen': '0.0.0.0:0' },
      /bucket\.url.*must be set/,
    ],
    ['a value that makes no sense', 'origin', { 'origin-listen': 'everywhere' }, /--origin-listen: must be HOST:PORT/],
    [
      'an option there is not',
      'origin',
      { 'origin-listne': '127.0.0.1:0' },
      /--origin-listne: there is no such option; did you mean --origin-listen\?/,
    ],
  ]

  test.each(cases)('%s', async (_, verb, options, message) => {
    const { path, remove } = await temporaryFolder()
    await expect(startPart(verb, { 'data-dir': path, ...options })).rejects.toThrow(message)
    await remove()
  })

  test('a port that is taken, saying which', async () => {
    const { path, remove } = await temporaryFolder()
    const first = await startPart('origin', { 'data-dir': path, 'origin-listen': '127.0.0.1:0' })
    const { host, port } = new URL(first.url)
    await expect(startPart('origin', { 'data-dir': path, 'origin-listen': host })).rejects.toThrow(
      `port ${port} is taken`,
    )
    await first.stop()
    await remove()
  })

  test.each(['origin', 'bucket', 'edge'] as const)(
    'the whole, when the port of the %s is taken, and leaves nothing behind',
    async (part) => {
      const { path, remove } = await temporaryFolder()
      const other = await startPart('origin', { 'data-dir': path, 'origin-listen': '127.0.0.1:0' })
      const taken = { ...anyPorts, [`${part}-listen`]: new URL(other.url).host }
      await expect(startPart('up', { 'data-dir': path, ...taken })).rejects.toThrow(`${part} did not start`)
      await other.stop()
      await remove()
    },
  )

  test('with access.anonymous set to pull, an address others can reach takes pulls and no pushes', async () => {
    const { path, remove } = await temporaryFolder()
    const origin = await startPart('origin', {
      'data-dir': path,
      'origin-listen': '0.0.0.0:0',
      'access-anonymous': 'pull',
    })
    const base = `http://127.0.0.1:${new URL(origin.url).port}`
    expect((await fetch(`${base}/v2/`)).status).toBe(200)
    await expect(pushBlob(base, 'a/b', 'x')).rejects.toThrow('403')
    expect(
      (await fetch(withDigest(new URL(`${base}/v2/a/b/blobs/uploads/x`), sha256('x')), { method: 'PUT' })).status,
    ).toBe(403)
    await origin.stop()
    await remove()
  })
})

describe('an origin that is set up otherwise', () => {
  test('with access.delete off refuses every delete, and takes pushes', async () => {
    const { path, remove } = await temporaryFolder()
    const origin = await startPart('origin', {
      'data-dir': path,
      'origin-listen': '127.0.0.1:0',
      'access-delete': 'false',
    })
    const image = await pushImage(origin.url, 'a/b', 'v1', 'no deletes')
    for (const what of ['manifests/v1', `manifests/${image.digest}`, `blobs/${sha256(image.layer)}`]) {
      expect((await fetch(`${origin.url}/v2/a/b/${what}`, { method: 'DELETE' })).status).toBe(405)
      expect((await fetch(`${origin.url}/v2/a/b/${what}`)).status).toBe(200)
    }
    // Ending an upload of one's own takes nothing away.
    expect((await fetch(await startUpload(origin.url, 'a/b'), { method: 'DELETE' })).status).toBe(204)
    await origin.stop()
    await remove()
  })

  test('with push.allow_sparse on takes manifests whose blobs are not there', async () => {
    const { path, remove } = await temporaryFolder()
    const origin = await startPart('origin', {
      'data-dir': path,
      'origin-listen': '127.0.0.1:0',
      'push-allow-sparse': 'true',
    })
    const manifest = manifestText('not there', ['nor this'])
    expect((await putManifest(origin.url, 'a/b', 'v1', manifest)).status).toBe(201)
    expect(await (await fetch(`${origin.url}/v2/a/b/manifests/v1`)).text()).toBe(manifest)
    await origin.stop()
    await remove()
  })
})
