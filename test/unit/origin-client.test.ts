// What the edge sends to the origin and what it hands back, over a fetch that notes where it was sent.

import { beforeEach, describe, expect, test } from 'vitest'
import { toResponse } from '../../shared/http/answer.ts'
import { createOriginClient } from '../../shared/edge/origin-client.ts'
import type { Fetch } from '../../shared/ports/fetch.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts'

const timeoutMs = 30_000

let clock: FakeClock
let sent: { url: URL; init: RequestInit }[]
let answer: (init: RequestInit) => Promise<Response>

beforeEach(() => {
  clock = createFakeClock()
  sent = []
  answer = async () => new Response('hello', { status: 201, headers: { 'X-From': 'origin' } })
})

const fetch: Fetch = (url, init) => {
  sent.push({ url, init })
  return answer(init)
}

const ask = async (request: Request, originUrl = 'http://127.0.0.1:1970') =>
  toResponse(await createOriginClient({ originUrl, timeoutMs, clock, fetch }).ask(request, 'an-id'))

const headersSent = () => new Headers(sent[0]?.init.headers)

describe('a request', () => {
  test.each([
    ['http://edge.test:8787', 'http://127.0.0.1:1970'],
    ['http://edge.test:8787', 'http://origin.test'],
    ['http://edge.test:8787', 'https://origin.test'],
    ['https://edge.test', 'http://127.0.0.1:1970'],
    ['https://edge.test', 'https://origin.test'],
    ['https://edge.test:8443', 'http://origin.test:80'],
    ['http://[::1]:8787', 'http://[::1]:1970'],
  ])('to %s goes on to %s, its path and query as they were', async (edge, origin) => {
    await ask(new Request(`${edge}/v2/a/blobs/uploads/?digest=sha256%3Aab&x=a+b`), origin)
    expect(sent[0]?.url.href).toBe(`${new URL(origin).origin}/v2/a/blobs/uploads/?digest=sha256%3Aab&x=a+b`)
  })

  test('keeps its method, its body and what it says of itself', async () => {
    const received: string[] = []
    answer = async (init) => {
      received.push(await new Response(init.body).text())
      return new Response(null, { status: 202 })
    }
    const headers = { 'Content-Range': '0-4', Authorization: 'Bearer token', Accept: 'a/b' }
    await ask(new Request('http://edge.test/v2/', { method: 'PATCH', body: 'bytes', headers }))
    expect(sent[0]?.init.method).toBe('PATCH')
    expect(received).toEqual(['bytes'])
    for (const [name, value] of Object.entries(headers)) expect(headersSent().get(name)).toBe(value)
  })

  test('carries the edge’s id, in place of the client’s', async () => {
    await ask(new Request('http://edge.test/v2/', { headers: { 'X-Request-Id': 'other' } }))
    expect(headersSent().get('X-Request-Id')).toBe('an-id')
  })

  const forged = {
    'X-Forwarded-For': '203.0.113.9',
    'X-Forwarded-Proto': 'https',
    'X-Forwarded-Host': 'evil.example',
    'X-Real-IP': '203.0.113.9',
    Forwarded: 'for=203.0.113.9',
  }

  test('says whose it is, in place of what the client says of that', async () => {
    const client = { address: '192.0.2.7', scheme: 'https', host: 'edge.test' } as const
    const origin = createOriginClient({ originUrl: 'http://origin.test', timeoutMs, clock, fetch })
    await origin.ask(new Request('http://edge.test/v2/', { headers: forged }), 'an-id', client)
    expect([...headersSent()].filter(([name]) => /forward|real/.test(name))).toEqual([
      ['x-forwarded-for', '192.0.2.7'],
      ['x-forwarded-host', 'edge.test'],
      ['x-forwarded-proto', 'https'],
    ])
  })

  test('says nothing of that where it is not known, whatever the client says', async () => {
    await ask(new Request('http://edge.test/v2/', { headers: forged }))
    expect([...headersSent()].filter(([name]) => /forward|real/.test(name))).toEqual([])
  })

  test('loses the headers of its own connection, those that Connection names too', async () => {
    // The class of the runtime forbids some of these in a Request; a listener hands them over all the same.
    const headers = new Headers({
      Connection: 'keep-alive, X-Hop',
      'X-Hop': '1',
      TE: 'trailers',
      Upgrade: 'h2c',
      'X-End': '1',
    })
    const request = new Request('http://edge.test/v2/')
    Object.defineProperty(request, 'headers', { value: headers })
    await ask(request)
    expect([...headersSent().keys()].toSorted()).toEqual(['accept-encoding', 'x-end', 'x-request-id'])
  })

  test('does not follow redirects, which would carry credentials elsewhere', async () => {
    answer = async () => new Response(null, { status: 307, headers: { Location: 'http://elsewhere.test/' } })
    const response = await ask(new Request('http://edge.test/v2/'))
    expect(sent[0]?.init.redirect).toBe('manual')
    expect([response.status, response.headers.get('Location')]).toEqual([307, 'http://elsewhere.test/'])
  })
})

describe('an answer', () => {
  test('that says nothing of caching, as of a proxy in between, may be kept by nobody', async () => {
    for (const said of [undefined, 'private, max-age=60']) {
      const headers: Record<string, string> = said === undefined ? {} : { 'Cache-Control': said }
      answer = async () => new Response('<html>', { status: 502, headers })
      const answered = await ask(new Request('http://edge.test/v2/'))
      expect(answered.headers.get('Cache-Control')).toBe(said ?? 'no-store')
    }
  })

  test('comes back with its status, headers and body', async () => {
    const response = await ask(new Request('http://edge.test/v2/'))
    expect([response.status, response.headers.get('X-From'), await response.text()]).toEqual([201, 'origin', 'hello'])
  })

  test('loses the headers of its own connection', async () => {
    answer = async () =>
      new Response(null, { headers: { Connection: 'X-Hop', 'X-Hop': '1', 'Keep-Alive': 'timeout=5', ETag: '"a"' } })
    const response = await ask(new Request('http://edge.test/v2/'))
    expect([...response.headers.keys()]).toEqual(['cache-control', 'etag'])
  })

  test.each([204, 304])('of %d, which can have no body, comes back', async (status) => {
    answer = async () => new Response(null, { status })
    expect((await ask(new Request('http://edge.test/v2/'))).status).toBe(status)
  })

  test('leaves no timer behind', async () => {
    await ask(new Request('http://edge.test/v2/'))
    expect(clock.pending).toBe(0)
  })
})

/** Never answers, and gives up when it is told to, as fetch does. */
const hanging = (init: RequestInit) =>
  new Promise<Response>((_, reject) => init.signal?.addEventListener('abort', () => reject(init.signal?.reason)))

describe('an origin', () => {
  test('that cannot be reached is a failed dependency, with its cause', async () => {
    const cause = new TypeError('fetch failed')
    answer = () => Promise.reject(cause)
    await expect(ask(new Request('http://edge.test/v2/'))).rejects.toMatchObject({
      name: 'UpstreamError',
      source: 'origin',
      cause,
    })
  })

  test('that does not answer is given up after its time', async () => {
    answer = hanging
    const asked = ask(new Request('http://edge.test/v2/'))
    clock.advance(timeoutMs - 1)
    expect(sent[0]?.init.signal?.aborted).toBe(false)
    clock.advance(1)
    await expect(asked).rejects.toBeInstanceOf(UpstreamError)
    expect(clock.pending).toBe(0)
  })

  test('is no longer asked once the client left', async () => {
    answer = hanging
    const client = new AbortController()
    const asked = ask(new Request('http://edge.test/v2/', { signal: client.signal }))
    client.abort()
    await expect(asked).rejects.toBeInstanceOf(UpstreamError)
    expect(sent[0]?.init.signal?.aborted).toBe(true)
  })

  test('is not asked with a body that had broken before, and what is left of that fails nothing else', async () => {
    let outcome = ''
    answer = async (init) => {
      // As a client of HTTP does where the request is off: nobody waits for it.
      const cancelled = (init.body as ReadableStream<Uint8Array>).cancel()
      outcome = await cancelled.then(
        () => 'ended',
        () => 'failed',
      )
      throw new Error('aborted')
    }
    const body = new ReadableStream<Uint8Array>({ start: (controller) => controller.error(new Error('broken')) })
    const request = new Request('http://edge.test/v2/', { method: 'PUT', body, duplex: 'half' })
    await expect(ask(request)).rejects.toMatchObject({ message: expect.stringContaining('no answer') })
    expect(outcome).toBe('ended')
  })

  test('has its whole time again with every chunk of an upload', async () => {
    const upload = new TransformStream<Uint8Array<ArrayBuffer>>()
    const client = upload.writable.getWriter()
    answer = async (init) => {
      for await (const _ of init.body as ReadableStream<Uint8Array>) clock.advance(timeoutMs - 1)
      return new Response(null, { status: 202 })
    }
    const asked = ask(new Request('http://edge.test/v2/', { method: 'PATCH', body: upload.readable, duplex: 'half' }))
    for (let chunk = 0; chunk < 3; chunk += 1) await client.write(new Uint8Array(1))
    await client.close()
    expect((await asked).status).toBe(202)
  })

  test('that answers before it has read the upload has its answer ended by no deadline, whatever the client still sends', async () => {
    const upload = new TransformStream<Uint8Array<ArrayBuffer>>()
    const client = upload.writable.getWriter()
    answer = async () => new Response('an answer that takes its time')
    await ask(new Request('http://edge.test/v2/', { method: 'PATCH', body: upload.readable, duplex: 'half' }))
    const rest = (sent[0]?.init.body as ReadableStream<Uint8Array> | undefined)?.getReader()
    await Promise.all([client.write(new Uint8Array(1)), rest?.read()])
    clock.advance(timeoutMs)
    expect(sent[0]?.init.signal?.aborted).toBe(false)
  })
})
