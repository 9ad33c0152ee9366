// The log of real processes: a line for each request, also where the listener has the first word, and one for an answer
// that broke off. Nothing that is no JSON.

import { createServer, get, type IncomingMessage } from 'node:http'
import { once } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import { truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { blobKey } from '../../shared/layout/keys.ts'
import { pushBlob } from '../support/http-client.ts'
import { randomBytes } from '../support/image.ts'
import { anyPorts, eventually, type LogLine, type Part, startPart, temporaryFolder } from '../support/stack.ts'
import { digest as parsed } from '../support/arbitraries.ts'

/** More than the connection between two processes holds, so that the sender waits for the reader. */
const blobBytes = 48 * 1024 * 1024

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let [origin, bucket, edge]: Part[] = []

beforeAll(async () => {
  folder = await temporaryFolder()
  origin = await startPart('origin', { 'data-dir': folder.path, ...anyPorts })
  bucket = await startPart('bucket', { 'data-dir': folder.path, ...anyPorts })
  edge = await startPart('edge', {
    'data-dir': folder.path,
    ...anyPorts,
    'bucket-url': bucket.url,
    'edge-origin-url': origin.url,
  })
})

afterAll(async () => {
  for (const part of [edge, bucket, origin]) await part?.stop()
  await folder.remove()
})

function partOf(name: string): Part {
  const part = { origin, bucket, edge }[name]
  if (part === undefined) throw new Error(`${name} was not started`)
  return part
}

const linesOf = (part: Part, msg: string) => part.log.filter((line) => line['msg'] === msg)

async function lineOf(part: Part, isIt: (line: LogLine) => boolean): Promise<LogLine> {
  await eventually('it is logged', () => part.log.some(isIt))
  return part.log.find(isIt) ?? {}
}

async function exchange(url: string, request: string): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname, () => socket.write(request))
  let answer = ''
  socket.setEncoding('utf8').on('data', (text: string) => (answer += text))
  await once(socket, 'end')
  return answer
}

test.each(['origin', 'edge'])('a path with a dot segment has a line in the log of the %s, and an id', async (name) => {
  const part = partOf(name)
  for (const [method, id] of [
    ['GET', 'dot-segment-get'],
    ['DELETE', 'dot-segment-delete'],
    ['TRACE', 'dot-segment-trace'],
  ]) {
    const head = `${method} /v2/a/../b/tags/list HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Request-Id: ${id}\r\n\r\n`
    const answer = await exchange(part.url, head)
    expect(answer).toMatch(/^HTTP\/1\.1 404 /)
    expect(answer.toLowerCase()).toContain(`x-request-id: ${id}\r\n`)
    expect(answer).toContain('"code":"UNSUPPORTED"')
    const line = await lineOf(part, (each) => each['id'] === id)
    expect(line).toMatchObject({ msg: 'request', method, status: 404, tier: 'none' })
    expect(line).not.toHaveProperty('route')
  }
})

describe('a download that breaks off', () => {
  /** Begins to download, and stops reading after the first bytes. */
  async function begin(url: string, headers: Record<string, string>): Promise<IncomingMessage> {
    const request = get(url, { headers })
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    await once(response, 'readable')
    return response
  }

  /** Reads the rest. Returns how many bytes came, and whether the sender cut the connection. */
  async function readOn(response: IncomingMessage): Promise<{ bytes: number; cut: boolean }> {
    let bytes = 0
    try {
      for await (const chunk of response) bytes += (chunk as Buffer).length
    } catch {
      return { bytes, cut: true }
    }
    return { bytes, cut: false }
  }

  test.each(['origin', 'edge', 'bucket'])('at the %s is cut, and has one more line', async (name) => {
    const part = partOf(name)
    const digest = await pushBlob(partOf('origin').url, 'log/app', randomBytes(`broken ${name}`, blobBytes))
    const path = `/v2/log/app/blobs/${digest}`
    // An edge that is asked by another name than loopback streams; else it hands out a URL of the bucket.
    const redirect = await fetch(`${partOf('edge').url}${path}`, { redirect: 'manual' })
    const url = name === 'bucket' ? String(redirect.headers.get('Location')) : `${part.url}${path}`
    const before = linesOf(part, 'an answer broke off').length
    const response = await begin(
      url,
      name === 'bucket' ? {} : { Host: 'registry.example', 'X-Request-Id': 'broken-off' },
    )
    expect(response.statusCode).toBe(200)
    const key = blobKey(parsed(digest))
    await truncate(join(folder.path, 'bucket', key), 0)
    const { bytes, cut } = await readOn(response)
    expect([cut, bytes < blobBytes]).toEqual([true, true])

    await eventually('it is logged', () => linesOf(part, 'an answer broke off').length > before)
    const lines = linesOf(part, 'an answer broke off').slice(before)
    expect(lines.length).toBe(1)
    expect(lines[0]).toMatchObject({ level: 'warn', part: name })
    expect(lines[0]?.['id']).toBe(name === 'bucket' ? undefined : 'broken-off')
    expect(JSON.stringify(lines[0]?.['err'])).toContain(`${key} became shorter`)
    expect(part.text()).toBe('')
    expect((await fetch(new URL('/livez', part.url))).status).toBe(200)
  })

  test('because the client left has no more lines', async () => {
    const part = partOf('origin')
    const digest = await pushBlob(part.url, 'log/app', randomBytes('client left', blobBytes))
    const before = part.log.filter(({ level }) => level === 'warn' || level === 'error').length
    const response = await begin(`${part.url}/v2/log/app/blobs/${digest}`, {})
    response.destroy()
    // What is asked afterwards is logged afterwards.
    await fetch(`${part.url}/v2/`, { headers: { 'X-Request-Id': 'after-it-left' } })
    await lineOf(part, ({ id }) => id === 'after-it-left')
    expect(part.log.filter(({ level }) => level === 'warn' || level === 'error').length).toBe(before)
    expect(part.text()).toBe('')
  })

  test('from an origin that dies is cut at the edge, and has one more line', async () => {
    const dying = createServer((_, response) => {
      response.writeHead(202, { 'Content-Length': '1000' })
      response.write('ten bytes.', () => response.destroy())
    })
    await once(dying.listen(0, '127.0.0.1'), 'listening')
    const part = await startPart('edge', {
      'data-dir': folder.path,
      ...anyPorts,
      'bucket-url': partOf('bucket').url,
      'edge-origin-url': `http://127.0.0.1:${(dying.address() as AddressInfo).port}`,
    })
    const headers = { 'X-Request-Id': 'origin-died' }
    const response = await fetch(`${part.url}/v2/a/b/blobs/uploads/`, { method: 'POST', headers })
    expect(response.status).toBe(202)
    await expect(response.text()).rejects.toThrow()
    const line = await lineOf(part, ({ msg }) => msg === 'an answer broke off')
    expect(line).toMatchObject({ level: 'warn', id: 'origin-died' })
    expect(part.text()).toBe('')
    await part.stop()
    dying.close()
  })
})
