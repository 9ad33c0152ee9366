// What the listener itself refuses, seen on raw connections: HTTP clients would tidy these requests up.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { pushImage } from '../support/http-client.ts'
import { exchange, ociCode } from '../support/http/raw-http.ts'
import { type Stack, startStack } from '../support/stack.ts'

let stack: Stack

beforeAll(async () => {
  stack = await startStack('node')
  await pushImage(stack.originUrl, 'some/name', 'v1', 'listener')
})

afterAll(() => stack.stop())

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: registry.example\r\nConnection: close\r\n\r\n`

test.each([
  '/v2/other/../some/name/tags/list',
  '/v2/other/%2e%2e/some/name/tags/list',
  '/v2/./some/name/tags/list',
  '/x/%2E./v2/',
])('a path is taken as it was sent: %s is no other spelling of a name', async (path) => {
  for (const url of [stack.originUrl, stack.edgeUrl]) {
    expect((await exchange(url, get('/v2/some/name/tags/list'))).map(({ status }) => status)).toEqual([200])
    const answers = await exchange(url, get(path))
    expect(answers.map((answer) => [answer.status, ociCode(answer)])).toEqual([[404, 'UNSUPPORTED']])
  }
})
