// Uploads whose connection breaks, whose origin restarts, and that two requests work on at once.

import { once } from 'node:events'
import { utimes } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { startUpload, withDigest } from '../support/http-client.ts'
import { randomBytes, sha256 } from '../support/image.ts'
import { eventually, type Part, startPart, temporaryFolder } from '../support/stack.ts'

const endings: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const end of endings.splice(0).toReversed()) await end()
})

async function newFolder(): Promise<string> {
  const { path, remove } = await temporaryFolder()
  endings.push(remove)
  return path
}

async function startOrigin(folder: string): Promise<Part> {
  const origin = await startPart('origin', { 'data-dir': folder, 'origin-listen': '127.0.0.1:0' })
  endings.push(() => origin.stop())
  return origin
}

/** More than the origin gathers before it writes, so that the status shows bytes while the request goes on. */
const firstPart = randomBytes('first', 1_500_000)
const rest = randomBytes('rest', 100_000)
const whole = new Uint8Array(Buffer.concat([firstPart, rest]))
const restRange = { 'Content-Range': `${firstPart.length}-${whole.length - 1}` }

/** A PATCH that sends a part of what it announced and then keeps silent, as a client does that hangs. */
async function halfPatch(url: URL): Promise<Socket> {
  const socket = connect(Number(url.port), url.hostname)
  await once(socket, 'connect')
  socket.on('error', () => {})
  socket.write(`PATCH ${url.pathname} HTTP/1.1\r\nHost: ${url.host}\r\nContent-Length: 5000000\r\n\r\n`)
  socket.write(firstPart)
  await eventually('the origin takes the bytes', async () => (await statusOf(url)) !== '0-0')
  return socket
}

const statusOf = async (url: URL) => (await fetch(url)).headers.get('Range')

describe('an upload', () => {
  test('whose connection broke goes on where it stopped', async () => {
    const origin = await startOrigin(await newFolder())
    const url = await startUpload(origin.url, 'uploads/broken')
    const socket = await halfPatch(url)
    socket.destroy()
    const arrived = `0-${firstPart.length - 1}`
    await eventually('the bytes that arrived are counted', async () => (await statusOf(url)) === arrived)
    expect((await fetch(url, { method: 'PATCH', body: rest, headers: restRange })).status).toBe(202)
    expect((await fetch(withDigest(url, sha256(whole)), { method: 'PUT' })).status).toBe(201)
  })

  test('goes on while the old connection only seems to be alive: the newest request wins', async () => {
    const origin = await startOrigin(await newFolder())
    const url = await startUpload(origin.url, 'uploads/hanging')
    const socket = await halfPatch(url)
    const patch = await fetch(url, { method: 'PATCH', body: rest, headers: restRange })
    expect([patch.status, patch.headers.get('Range')]).toEqual([202, `0-${whole.length - 1}`])
    expect((await fetch(withDigest(url, sha256(whole)), { method: 'PUT' })).status).toBe(201)
    socket.destroy()
  })

  test('goes on after a restart of the origin', async () => {
    const folder = await newFolder()
    const origin = await startOrigin(folder)
    const url = await startUpload(origin.url, 'uploads/restart')
    await fetch(url, { method: 'PATCH', body: 'before ' })
    await origin.kill()
    const restarted = await startOrigin(folder)
    const moved = new URL(url.pathname, restarted.url)
    expect(await statusOf(moved)).toBe('0-6')
    await fetch(moved, { method: 'PATCH', body: 'after', headers: { 'Content-Range': '7-11' } })
    expect((await fetch(withDigest(moved, sha256('before after')), { method: 'PUT' })).status).toBe(201)
    const blob = await fetch(`${restarted.url}/v2/uploads/restart/blobs/${sha256('before after')}`)
    expect(await blob.text()).toBe('before after')
  })

  test('that nobody went on with for longer than is set is gone when the origin has looked, and others are not', async () => {
    const folder = await newFolder()
    const origin = await startOrigin(folder)
    const [old, young] = [await startUpload(origin.url, 'uploads/old'), await startUpload(origin.url, 'uploads/young')]
    for (const url of [old, young]) await fetch(url, { method: 'PATCH', body: 'some bytes' })
    await origin.stop()
    const sessionFolder = join(folder, 'bucket/mirrorball/uploads', old.pathname.split('/').at(-1) ?? '')
    const then = new Date(Date.now() - 25 * 3600_000)
    for (const path of [join(sessionFolder, '0'), sessionFolder]) await utimes(path, then, then)
    const restarted = await startOrigin(folder)
    await eventually('the look ends', () => restarted.log.some(({ msg }) => msg === 'uploads expired'))
    expect(restarted.log.find(({ msg }) => msg === 'uploads expired')).toMatchObject({
      level: 'info',
      removed: 1,
      kept: 1,
    })
    expect((await fetch(new URL(old.pathname, restarted.url))).status).toBe(404)
    expect(await statusOf(new URL(young.pathname, restarted.url))).toBe('0-9')
  })

  test('with a digest of sha512 that was not announced is checked all the same', async () => {
    const origin = await startOrigin(await newFolder())
    const { hash } = await import('node:crypto')
    for (const hint of ['', '?digest-algorithm=sha512']) {
      const start = await fetch(`${origin.url}/v2/uploads/sha512/blobs/uploads/${hint}`, { method: 'POST' })
      const url = new URL(start.headers.get('Location') ?? '', origin.url)
      await fetch(url, { method: 'PATCH', body: `content ${hint}` })
      const wrong = await fetch(withDigest(url, `sha512:${'0'.repeat(128)}`), { method: 'PUT' })
      expect(wrong.status).toBe(400)
      const right = await fetch(withDigest(url, `sha512:${hash('sha512', `content ${hint}`)}`), { method: 'PUT' })
      expect(right.status).toBe(201)
    }
    expect((await fetch(`${origin.url}/v2/a/blobs/uploads/?digest-algorithm=md5`, { method: 'POST' })).status).toBe(400)
  })
})
