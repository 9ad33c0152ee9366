// What the listener itself refuses, seen on raw connections: HTTP clients would tidy these requests up.

import { connect } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { pushImage } from '../support/http-client.ts'
import { type Stack, startStack } from '../support/stack.ts'

let stack: Stack

beforeAll(async () => {
  stack = await startStack('node')
  await pushImage(stack.originUrl, 'some/name', 'v1', 'listener')
})

afterAll(() => stack.stop())

/** All that comes back for these bytes until the other side closes. */
async function exchange(url: string, request: string): Promise<string> {
  const { hostname, port } = new URL(url)
  return new Promise((done, fail) => {
    const socket = connect(Number(port), hostname, () => socket.write(request))
    let answer = ''
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => (answer += text))
    socket.on('end', () => done(answer))
    socket.on('error', fail)
  })
}

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: registry.example\r\nConnection: close\r\n\r\n`

test.each([
  '/v2/other/../some/name/tags/list',
  '/v2/other/%2e%2e/some/name/tags/list',
  '/v2/./some/name/tags/list',
  '/x/%2E./v2/',
])('a path is taken as it was sent: %s is no other spelling of a name', async (path) => {
  for (const url of [stack.originUrl, stack.edgeUrl]) {
    expect(await exchange(url, get('/v2/some/name/tags/list'))).toMatch(/^HTTP\/1\.1 200 /)
    const answer = await exchange(url, get(path))
    expect(answer).toMatch(/^HTTP\/1\.1 404 /)
    expect(answer).toContain('"code":"UNSUPPORTED"')
  }
})
