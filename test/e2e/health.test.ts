// `/livez` and `/readyz` of real processes, with what they need taken away and given back.

import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { publishIn } from '../support/access/published-rules.ts'
import { eventually, type Part, type Stack, startPart, startStack, temporaryFolder } from '../support/stack.ts'

const statusOf = async (url: string, path: string) => (await fetch(`${url}${path}`)).status
const readyWithin = (url: string, status: number) =>
  eventually(`${url}/readyz is ${status}`, async () => (await statusOf(url, '/readyz')) === status)

describe('with a folder as bucket', () => {
  let stack: Stack
  const urls = () => ({ origin: stack.originUrl, edge: stack.edgeUrl, bucket: stack.bucketUrl.replace(/\/[^/]*$/, '') })

  beforeAll(async () => {
    stack = await startStack('node')
  })

  afterAll(() => stack.stop())

  test('every process is live and ready, and its probes are not logged', async () => {
    for (const [part, url] of Object.entries(urls())) {
      expect([part, await statusOf(url, '/livez'), await statusOf(url, '/readyz')]).toEqual([part, 200, 200])
      expect((await fetch(`${url}/readyz`, { method: 'POST', body: 'x' })).status).toBe(405)
      const head = await fetch(`${url}/readyz`, { method: 'HEAD' })
      expect([head.status, head.headers.get('Cache-Control')]).toEqual([200, 'no-store'])
    }
    // A request that is logged comes after the probes, so they would be there by now.
    await fetch(`${stack.originUrl}/v2/`)
    await eventually('the request is logged', () => stack.log('origin').some(({ route }) => route === 'version'))
    for (const part of ['origin', 'edge', 'bucket'] as const)
      expect(stack.log(part).filter(({ msg, route }) => msg === 'request' && route !== 'version')).toEqual([])
  })

  test('every process stays live, and says that it is not ready, while the folder is gone', async () => {
    const folder = join(stack.dataFolder, 'bucket')
    await rename(folder, `${folder}-away`)
    for (const url of Object.values(urls())) {
      await readyWithin(url, 503)
      expect((await fetch(`${url}/readyz`)).headers.get('Retry-After')).toBe('5')
      expect(await statusOf(url, '/livez')).toBe(200)
    }
    await rename(`${folder}-away`, folder)
    for (const url of Object.values(urls())) await readyWithin(url, 200)
    expect(stack.log('origin').filter(({ msg }) => msg === 'not ready').length).toBe(2)
  })
})

describe.each([
  ['in workerd', { edge: 'workerd' }],
  ['on Node', { 'edge-bucket-access': 'http' }],
])('an edge %s that reads the bucket over HTTP', (_, options) => {
  const parts: Part[] = []
  let folder: Awaited<ReturnType<typeof temporaryFolder>>

  beforeAll(async () => {
    folder = await temporaryFolder()
    await publishIn(join(folder.path, 'bucket'))
  })

  afterAll(async () => {
    for (const part of parts.toReversed()) await part.stop()
    await folder.remove()
  })

  test('is ready without an origin, and not without a bucket', async () => {
    const bucket = await startPart('bucket', { 'data-dir': folder.path, 'bucket-listen': '127.0.0.1:0' })
    parts.push(bucket)
    const edge = await startPart('edge', {
      'data-dir': folder.path,
      ...options,
      'edge-listen': '127.0.0.1:0',
      // Nobody answers there.
      'edge-origin-url': 'http://127.0.0.1:1',
      'bucket-url': bucket.url,
    })
    parts.push(edge)
    const response = await fetch(`${edge.url}/readyz`)
    const checks = { bucket_read: 'ok', access_rules: 'ok' }
    expect([response.status, await response.json()]).toEqual([200, { ready: true, checks }])
    await bucket.stop()
    await readyWithin(edge.url, 503)
    expect(await statusOf(edge.url, '/livez')).toBe(200)
  })
})
