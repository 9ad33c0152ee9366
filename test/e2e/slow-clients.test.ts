// Clients that send a byte at a time: what is small has to arrive in time, and an upload may take as long as it likes.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { ociIndexType, startUpload } from '../support/http-client.ts'
import { ociCode, openConnection, parseAnswers } from '../support/http/raw-http.ts'
import { eventually, type Part, startPart, temporaryFolder } from '../support/stack.ts'

const limitMs = 1000
let folder: { path: string; remove: () => Promise<void> }
let origin: Part

beforeAll(async () => {
  folder = await temporaryFolder()
  origin = await startPart('origin', {
    'data-dir': folder.path,
    'origin-listen': '127.0.0.1:0',
    'origin-request-timeout-ms': String(limitMs),
    // Shorter than the whole of each request, and longer than the silence between two bytes.
    'http-idle-timeout-ms': String(limitMs),
  })
})

afterAll(async () => {
  await origin.stop()
  await folder.remove()
})

/** Sends the head, then a space at a time until `enough`; returns what came back by then. */
async function trickle(head: string, enough: (sent: number, received: string) => boolean): Promise<string> {
  const { socket, received } = await openConnection(origin.url)
  socket.write(head)
  let sent = 0
  await eventually('enough was sent', () => {
    if (enough(sent, received())) return true
    socket.write(' ')
    sent += 1
    return false
  })
  await eventually('the answer comes', () => received().includes('\r\n\r\n'))
  socket.destroy()
  return received()
}

const host = 'Host: registry.example\r\n'

test('a manifest whose body trickles is 408 and stored nowhere', async () => {
  const head = `PUT /v2/slow/manifest/manifests/v1 HTTP/1.1\r\n${host}Content-Type: ${ociIndexType}\r\nContent-Length: 100000\r\n\r\n`
  const [answer] = parseAnswers(await trickle(head, (_, received) => received !== ''))
  if (answer === undefined) throw new Error('no answer came')
  expect([answer.status, ociCode(answer)]).toEqual([408, 'MANIFEST_INVALID'])
  expect((await fetch(`${origin.url}/v2/slow/manifest/manifests/v1`)).status).toBe(404)
})

test('headers that trickle are 408, and the connection ends', async () => {
  const { socket, received, closed } = await openConnection(origin.url)
  socket.write(`GET /v2/ HTTP/1.1\r\n${host}X-Slow: `)
  await eventually('it is answered', () => {
    socket.write(' ')
    return received() !== ''
  })
  await closed
  const [answer] = parseAnswers(received())
  if (answer === undefined) throw new Error('no answer came')
  expect([answer.status, ociCode(answer)]).toEqual([408, 'UNSUPPORTED'])
})

test('an upload that trickles is taken, for longer than any other request may take', async () => {
  const url = await startUpload(origin.url, 'slow/upload')
  const head = `PATCH ${url.pathname} HTTP/1.1\r\n${host}Content-Length: 150\r\n\r\n`
  const started = Date.now()
  const answer = await trickle(head, (sent) => sent === 150)
  expect(Date.now() - started).toBeGreaterThan(2 * limitMs)
  expect(answer).toMatch(/^HTTP\/1.1 202 /)
  expect((await fetch(url)).headers.get('Range')).toBe('0-149')
})
