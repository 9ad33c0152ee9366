// Where an edge sends clients for blobs: the bucket process, by URLs that are signed and expire.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pushBlob } from '../support/http-client.ts'
import { type Stack, startStack } from '../support/stack.ts'

describe.each(['node', 'workerd'] as const)('a blob at the edge on %s', (runtime) => {
  let stack: Stack
  let path: string

  beforeAll(async () => {
    stack = await startStack(runtime)
    path = `/v2/some/name/blobs/${await pushBlob(stack.originUrl, 'some/name', '0123456789')}`
  })

  afterAll(() => stack.stop())

  const askEdge = (headers: Record<string, string> = {}) => fetch(stack.edgeUrl + path, { redirect: 'manual', headers })

  test('is a 307 to a signed URL that nobody may keep', async () => {
    const response = await askEdge()
    expect(response.status).toBe(307)
    expect(response.headers.get('Cache-Control')).toBe('private, no-store')
    expect(response.headers.get('Content-Length')).toBe('0')
    const location = new URL(response.headers.get('Location') ?? '')
    expect(location.origin).toBe(new URL(stack.bucketUrl).origin)
    expect(location.searchParams.get('X-Amz-Expires')).toBe('3600')
  })

  test('whose URL serves it, whole or in part, whatever Authorization the client still sends', async () => {
    const url = (await askEdge()).headers.get('Location') ?? ''
    const headers = { Authorization: 'Bearer meant-for-another-host' }
    const whole = await fetch(url, { headers })
    expect(whole.headers.get('Docker-Content-Digest')).toBe(path.split('/').at(-1))
    expect(await whole.text()).toBe('0123456789')
    const part = await fetch(url, { headers: { ...headers, Range: 'bytes=3-5' } })
    expect([part.status, await part.text()]).toEqual([206, '345'])
  })

  test('whose URL is good for this blob and method only', async () => {
    const url = (await askEdge()).headers.get('Location') ?? ''
    const other = await pushBlob(stack.originUrl, 'other/name', 'other')
    const hex = other.slice('sha256:'.length)
    const changed = url.replace(/sha256\/[0-9a-f]{2}\/[0-9a-f]{64}/, `sha256/${hex.slice(0, 2)}/${hex}`)
    for (const [target, method] of [
      [changed, 'GET'],
      [url, 'HEAD'],
      [url.split('?')[0] ?? '', 'GET'],
    ] as const) {
      expect((await fetch(target, { method })).status).toBe(403)
    }
    expect((await fetch(url, { method: 'PUT', body: 'x' })).status).toBe(405)
  })

  test('comes through the edge to who came by another name than loopback, to whom the URL would lead nowhere', async () => {
    const port = new URL(stack.edgeUrl).port
    const { request } = await import('node:http')
    const answer = await new Promise<{ status: number; text: string }>((done, fail) => {
      const asked = request({ host: '127.0.0.1', port, path, headers: { Host: 'registry.example' } }, (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => (text += chunk))
        response.on('end', () => done({ status: response.statusCode ?? 0, text }))
      })
      asked.on('error', fail)
      asked.end()
    })
    expect(answer).toEqual({ status: 200, text: '0123456789' })
  })
})

test.each(['node', 'workerd'] as const)(
  'a blob at the edge on %s is a 307 to the public host, where there is one and everyone may pull everything',
  async (runtime) => {
    const stack = await startStack(runtime, undefined, { 'bucket-public-url': 'http://127.0.0.1:9/blobs' })
    try {
      const digest = await pushBlob(stack.originUrl, 'some/name', 'public')
      const answer = await fetch(`${stack.edgeUrl}/v2/some/name/blobs/${digest}`, { redirect: 'manual' })
      const hex = digest.slice('sha256:'.length)
      expect([answer.status, answer.headers.get('Location'), answer.headers.get('Cache-Control')]).toEqual([
        307,
        `http://127.0.0.1:9/blobs/docker/registry/v2/blobs/sha256/${hex.slice(0, 2)}/${hex}/data`,
        'private, no-store',
      ])
    } finally {
      await stack.stop()
    }
  },
)
