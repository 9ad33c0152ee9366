// The origin knows who its edges' clients are by the key that it shares with them, and believes nobody else.

import { createHmac } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { anyPorts, type EdgeRuntime, type Part, startPart, temporaryFolder } from '../support/stack.ts'

const address = '192.0.2.7'
const anotherKey = 'a-key-that-this-origin-does-not-know'

let origin: Part
let startEdge: (runtime: EdgeRuntime, more?: Readonly<Record<string, string>>) => Promise<Part>
const started: Part[] = []
let remove: () => Promise<void>

beforeAll(async () => {
  const data = await temporaryFolder()
  remove = data.remove
  const options = { 'data-dir': data.path, ...anyPorts }
  const bucket = await startPart('bucket', options)
  origin = await startPart('origin', options)
  started.push(bucket, origin)
  // The edge has a proxy before it, of which the origin knows nothing.
  const edgeOptions = {
    ...options,
    'bucket-url': bucket.url,
    'edge-origin-url': origin.url,
    'http-trusted-proxies': '127.0.0.1',
  }
  startEdge = async (runtime, more = {}) => {
    const edge = await startPart('edge', { ...edgeOptions, edge: runtime, ...more })
    started.push(edge)
    return edge
  }
})

afterAll(async () => {
  for (const part of started.toReversed()) await part.stop()
  await remove()
})

/** Whom the origin took for the client of a request that only it can answer. */
async function clientOf(base: string, id: string, headers: Readonly<Record<string, string>>): Promise<unknown> {
  const url = `${base}/v2/some/name/blobs/uploads/`
  const answer = await fetch(url, { method: 'POST', headers: { 'X-Request-Id': id, ...headers } })
  expect(answer.status).toBe(202)
  const line = () => origin.log.find((each) => each['id'] === id)
  await expect.poll(line).toBeDefined()
  return line()?.['client']
}

describe.each(['node', 'workerd'] as const)('an edge on %s', (runtime) => {
  test('with the key of the data folder is believed', async () => {
    const edge = await startEdge(runtime)
    const headers = { 'X-Forwarded-For': address }
    expect(await clientOf(edge.url, `believed-${runtime}`, headers)).toBe(address)
  })

  test('with another key is a client like any other', async () => {
    const edge = await startEdge(runtime, { 'edge-key': anotherKey })
    const headers = { 'X-Forwarded-For': address }
    expect(await clientOf(edge.url, `unknown-${runtime}`, headers)).toBe('127.0.0.1')
  })

  test('does not hand on what a client says in its place', async () => {
    const edge = await startEdge(runtime)
    const own = forgedBy(anotherKey)
    expect(await clientOf(edge.url, `handed-on-${runtime}`, { 'Mirrorball-Client': own })).toBe('127.0.0.1')
  })
})

test('a client that says so itself is not believed', async () => {
  for (const [id, said] of [
    ['forged', forgedBy(anotherKey)],
    ['plain', address],
  ] as const)
    expect(await clientOf(origin.url, `${id}-at-the-origin`, { 'Mirrorball-Client': said })).toBe('127.0.0.1')
})

test('an edge hears whether it is believed, and nobody else anything', async () => {
  const saidTo = async (base: string, headers: Readonly<Record<string, string>> = {}) =>
    (await fetch(`${base}/v2/some/name/blobs/uploads/`, { method: 'POST', headers })).headers.get('Mirrorball-Edge')
  expect(await saidTo((await startEdge('node')).url)).toBe('known')
  expect(await saidTo((await startEdge('node', { 'edge-key': anotherKey })).url)).toBe('unknown')
  expect(await saidTo(origin.url, { 'Mirrorball-Client': forgedBy(anotherKey) })).toBe('unknown')
  expect(await saidTo(origin.url)).toBeNull()
})

test('the key is in no log, and in nothing that is printed', () => {
  for (const part of started) expect(`${JSON.stringify(part.log)}${part.text()}`).not.toContain(anotherKey)
})

function forgedBy(key: string): string {
  const encoded = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
  const claims = { address, scheme: 'https', host: 'a', exp: Math.floor(Date.now() / 1000) + 60 }
  const input = `${encoded({ alg: 'HS256', typ: 'client+jwt' })}.${encoded(claims)}`
  return `${input}.${createHmac('sha256', key).update(input).digest('base64url')}`
}
