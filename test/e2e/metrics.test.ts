// `/metrics` of real processes: on a listener of its own where one is set, and nowhere else.

import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pushImage, startUpload } from '../support/http-client.ts'
import { sha256 } from '../support/image.ts'
import { labelValues, type MetricsPage, parseMetrics, total } from '../support/http/prometheus-text.ts'
import { anyPorts, eventually, type Part, startPart, temporaryFolder } from '../support/stack.ts'

const loopback = '127.0.0.1:0'

describe('with metrics on', () => {
  let up: Part
  let folder: Awaited<ReturnType<typeof temporaryFolder>>

  const ready = (part: string) => up.log.find((line) => line['part'] === part && line['msg'] === 'ready')
  const url = (part: string) => new URL(String(ready(part)?.['url'])).origin
  const metricsUrl = (part: string) => String(ready(part)?.['metrics'])
  const page = async (part: string): Promise<MetricsPage> => parseMetrics(await (await fetch(metricsUrl(part))).text())

  beforeAll(async () => {
    folder = await temporaryFolder()
    const metrics = {
      'origin-metrics-listen': loopback,
      'bucket-metrics-listen': loopback,
      'edge-metrics-listen': loopback,
    }
    up = await startPart('up', { 'data-dir': folder.path, ...anyPorts, ...metrics })
    await eventually('every part is ready', () => ['origin', 'bucket', 'edge'].every((part) => ready(part)))
  })

  afterAll(async () => {
    expect(await up.stop()).toBe(0)
    await folder.remove()
  })

  test('every process counts what it is asked', async () => {
    const image = await pushImage(url('origin'), 'metrics/app', 'v1', 'metrics')
    for (let at = 0; at < 3; at++) await fetch(`${url('edge')}/v2/metrics/app/manifests/v1`)
    await (await fetch(`${url('edge')}/v2/metrics/app/blobs/${sha256(image.layer)}`)).text()

    const [origin, edge, bucket] = [await page('origin'), await page('edge'), await page('bucket')]
    const requests = 'mirrorball_http_requests_total'
    expect(total(origin, requests, { route: 'manifest', method: 'PUT', status: '201', tier: 'bucket' })).toBe(1)
    expect(total(origin, 'mirrorball_uploads_total', { event: 'opened' })).toBe(2)
    expect(total(origin, 'mirrorball_uploads_total', { event: 'finished' })).toBe(2)
    expect(total(origin, 'mirrorball_uploads_open')).toBe(0)
    expect(total(origin, 'mirrorball_bucket_operation_duration_seconds_count', { operation: 'write' })).toBeGreaterThan(
      3,
    )
    expect(total(edge, requests, { route: 'manifest', tier: 'bucket' })).toBe(1)
    expect(total(edge, requests, { route: 'manifest', tier: 'memory' })).toBe(2)
    expect(total(edge, requests, { route: 'blob', status: '307', tier: 'redirect' })).toBe(1)
    expect(total(edge, 'mirrorball_memory_cache_lookups_total', { result: 'hit' })).toBe(2)
    expect(total(bucket, requests, { route: 'object', status: '200' })).toBe(1)
    for (const each of [origin, edge, bucket]) {
      expect(total(each, 'mirrorball_http_requests_in_flight')).toBe(0)
      expect(total(each, 'mirrorball_http_sent_bytes_total')).toBeGreaterThan(100)
      expect(total(each, 'mirrorball_http_received_bytes_total')).toBeGreaterThan(100)
      expect(total(each, 'process_resident_memory_bytes')).toBeGreaterThan(1_000_000)
    }
  })

  test('a request is in flight until its answer ends', async () => {
    const inFlight = async () => total(await page('origin'), 'mirrorball_http_requests_in_flight')
    const upload = await startUpload(url('origin'), 'metrics/app')
    await eventually('nothing is', async () => (await inFlight()) === 0)
    const socket = connect(Number(upload.port), upload.hostname)
    socket.on('error', () => {})
    socket.write(`PATCH ${upload.pathname} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf`)
    await eventually('it is counted', async () => (await inFlight()) === 1)
    socket.destroy()
    await eventually('it is over', async () => (await inFlight()) === 0)
  })

  test('no name, path or method of a stranger becomes the value of a label', async () => {
    const strange = 'zzstrangezz'
    for (const part of ['origin', 'edge', 'bucket']) {
      for (const path of [
        `/v2/${strange}/manifests/${strange}`,
        `/v2/${strange}/tags/list`,
        `/${strange}`,
        `/mirrorball/${strange}`,
      ]) {
        for (const method of ['GET', 'PUT', strange.toUpperCase(), 'PROPFIND']) {
          await fetch(`${url(part)}${path}?q=${strange}`, { method, headers: { 'X-Request-Id': strange } })
        }
      }
      const text = await (await fetch(metricsUrl(part))).text()
      expect(text.toLowerCase()).not.toContain(strange)
      expect(text).not.toContain('PROPFIND')
      const values = labelValues(parseMetrics(text))
      expect([...(values['method'] ?? [])]).toContain('other')
      expect(Object.keys(values).sort()).toEqual(
        ['event', 'le', 'method', 'operation', 'result', 'route', 'status', 'tier'].filter(
          (label) => label !== 'operation' || values['operation'] !== undefined,
        ),
      )
    }
  })

  test('the main listener does not answer /metrics, nor the other one anything else', async () => {
    for (const part of ['origin', 'edge', 'bucket']) {
      expect([403, 404]).toContain((await fetch(`${url(part)}/metrics`)).status)
      const other = new URL(metricsUrl(part)).origin
      for (const path of ['/', '/v2/', '/readyz', '/metrics/'])
        expect((await fetch(`${other}${path}`)).status).toBe(404)
      expect((await fetch(metricsUrl(part), { method: 'POST', body: 'x' })).status).toBe(405)
      const head = await fetch(metricsUrl(part), { method: 'HEAD' })
      expect([head.status, head.headers.get('Cache-Control')]).toEqual([200, 'no-store'])
      expect(head.headers.get('Content-Type')).toMatch(/^text\/plain; version=0\.0\.4/)
    }
  })
})

describe('metrics that are not set up well', () => {
  test.each([
    [
      'in workerd, which has none',
      { edge: 'workerd', 'edge-metrics-listen': loopback },
      /edge\.metrics_listen.*workerd/,
    ],
    ['at no address', { 'edge-metrics-listen': 'everywhere' }, /--edge-metrics-listen: must be HOST:PORT/],
  ])('%s: the edge refuses to start', async (_, options, message) => {
    const { path, remove } = await temporaryFolder()
    await expect(startPart('edge', { 'data-dir': path, 'edge-listen': loopback, ...options })).rejects.toThrow(message)
    await remove()
  })

  test('at a port that is taken: the origin ends, and says which', async () => {
    const { path, remove } = await temporaryFolder()
    const first = await startPart('origin', { 'data-dir': path, 'origin-listen': loopback })
    const { host, port } = new URL(first.url)
    const taken = { 'origin-listen': loopback, 'origin-metrics-listen': host }
    await expect(startPart('origin', { 'data-dir': path, ...taken })).rejects.toThrow(`port ${port} is taken`)
    const own = { 'origin-listen': host, 'origin-metrics-listen': loopback }
    await expect(startPart('origin', { 'data-dir': path, ...own })).rejects.toThrow(`port ${port} is taken`)
    await first.stop()
    await remove()
  })

  test('not at all: there are none', async () => {
    const { path, remove } = await temporaryFolder()
    const origin = await startPart('origin', { 'data-dir': path, 'origin-listen': loopback })
    const ready = () => origin.log.find(({ msg }) => msg === 'ready')
    await eventually('it says where it is', () => ready() !== undefined)
    expect(ready()).not.toHaveProperty('metrics')
    await origin.stop()
    await remove()
  })
})
