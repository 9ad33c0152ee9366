// Metrics: what is counted, that no stranger can add a series, and that the documents name them all.

import * as fc from 'fast-check'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { closedSet, createDurationTable } from '../../origin/metrics/duration-table.ts'
import { createMetrics, type Metrics } from '../../origin/metrics/metrics.ts'
import { nodeHasher } from '../../origin/upload/node-hasher.ts'
import { systemRandom } from '../../origin/compose/system-ports.ts'
import type { Key, KeyPrefix } from '../../shared/layout/keys.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { createPushBlob } from '../../shared/registry/push-blob.ts'
import { createMemoryCache } from '../../shared/edge/memory-cache.ts'
import { edgeApp, fetchOf, originApp } from '../support/apps.ts'
import { createMemoryBucket, type Objects } from '../support/bucket/memory-bucket.ts'
import { createMemoryUploads } from '../support/bucket/memory-uploads.ts'
import { labelValues, parseMetrics, total } from '../support/http/prometheus-text.ts'
import { projectFolder } from '../support/stack.ts'
import { charactersOf, repository, sha256 as digestOf } from '../support/arbitraries.ts'

const digest = digestOf('some content')
const wait = { signal: new AbortController().signal }
const page = async (metrics: Metrics) => parseMetrics((await metrics.text()).body)

/** An origin, and an edge in front of it, each counted. */
async function counted() {
  const objects: Objects = new Map()
  const bucket = createMemoryBucket(objects)
  const [originMetrics, edgeMetrics] = [await createMetrics(), await createMetrics()]
  const origin = originApp({ bucket, uploads: createMemoryUploads(objects), observer: originMetrics.requests })
  const edge = edgeApp({
    bucket,
    fetch: fetchOf(origin),
    memory: createMemoryCache(1024 * 1024, edgeMetrics.looked),
    observer: edgeMetrics.requests,
  })
  return { origin, edge, originMetrics, edgeMetrics }
}

describe('requests', () => {
  test('are counted by route, method, status and tier, with their durations; probes are not', async () => {
    const { origin, edge, originMetrics, edgeMetrics } = await counted()
    for (const app of [origin, edge]) for (const path of ['/v2/', '/readyz', '/livez']) await app.request(path)
    await edge.request(`/v2/a/b/blobs/uploads/?digest=${digestOf('x')}`, { method: 'POST', body: 'x' })
    await edge.request(`/v2/a/b/blobs/${digestOf('x')}`)
    await edge.request('/v2/a/b/manifests/none')
    const [ofOrigin, ofEdge] = [await page(originMetrics), await page(edgeMetrics)]
    const requests = 'mirrorball_http_requests_total'
    expect(total(ofOrigin, requests)).toBe(2)
    expect(total(ofOrigin, requests, { route: 'uploads', method: 'POST', status: '201', tier: 'bucket' })).toBe(1)
    expect(total(ofEdge, requests)).toBe(4)
    expect(total(ofEdge, requests, { route: 'version', method: 'GET', status: '200', tier: 'none' })).toBe(1)
    expect(total(ofEdge, requests, { route: 'uploads', method: 'POST', status: '201', tier: 'origin' })).toBe(1)
    expect(total(ofEdge, requests, { route: 'blob', method: 'GET', status: '200', tier: 'bucket' })).toBe(1)
    expect(total(ofEdge, requests, { route: 'manifest', method: 'GET', status: '404', tier: 'none' })).toBe(1)
    for (const each of [ofOrigin, ofEdge]) {
      const duration = 'mirrorball_http_request_duration_seconds'
      expect(total(each, `${duration}_count`)).toBe(total(each, requests))
      expect(total(each, `${duration}_bucket`, { le: '+Inf' })).toBe(total(each, requests))
    }
  })

  test('have labels from closed sets, whatever a stranger sends', async () => {
    const { origin, edge, originMetrics, edgeMetrics } = await counted()
    const odd = fc.oneof(
      fc.string(),
      fc.constantFrom('..', 'GET', 'mirrorball', '"} 1\nfake_metric 1', 'tags/list', 'é', 'other', '__proto__'),
    )
    const token = fc.string({ unit: charactersOf("ABCxyz019-_!'"), minLength: 1, maxLength: 12 })
    const method = fc.oneof(token, fc.constantFrom('GET', 'get', 'PUT', 'DELETE', 'OPTIONS', 'PROPFIND', 'PATCH'))
    const route = fc.constantFrom('manifests', 'blobs', 'blobs/uploads', 'tags', 'referrers')
    await fc.assert(
      fc.asyncProperty(odd, route, odd, method, async (name, kind, last, sent) => {
        fc.pre(!['CONNECT', 'TRACE', 'TRACK'].includes(sent.toUpperCase()))
        const path = `/v2/${encodeURIComponent(name)}/${kind}/${encodeURIComponent(last)}`
        const headers = { 'User-Agent': 'odd', 'X-Request-Id': 'a-long-request-id', Accept: sent }
        for (const app of [origin, edge]) await app.request(path, { method: sent, headers })
      }),
      { numRuns: 200 },
    )
    for (const metrics of [originMetrics, edgeMetrics]) {
      const values = labelValues(await page(metrics))
      expect(Object.keys(values).sort()).toEqual(['event', 'le', 'method', 'result', 'route', 'status', 'tier'])
      expectWithin(values['route'], ['manifest', 'blob', 'uploads', 'upload', 'tags', 'referrers', 'none'])
      expectWithin(values['method'], ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'other'])
      expectWithin(values['tier'], ['bucket', 'origin', 'none'])
      for (const status of values['status'] ?? []) expect(status).toMatch(/^(?:[1-5]\d\d|other)$/)
    }
  })

  test('that say anything else count as other', async () => {
    const metrics = await createMetrics()
    metrics.requests.answered(metrics.requests.began(), 'a name', 'BREW', 218, 'a tier')
    const values = labelValues(await page(metrics))
    for (const label of ['route', 'method', 'status', 'tier']) expect([...(values[label] ?? [])]).toEqual(['other'])
  })
})

function expectWithin(found: Set<string> | undefined, allowed: readonly string[]): void {
  expect(allowed).toEqual(expect.arrayContaining([...(found ?? [])]))
}

describe('a table of durations', () => {
  test('puts each duration into the first bucket that it fits in', () => {
    const table = createDurationTable({ one: closedSet(['a']), two: closedSet(['b']) })
    for (const ms of [0, 0.5, 0.6, 60_000, 60_001]) table.add(ms, 0, 0)
    const [row] = [...table.rows()]
    expect(row?.labels).toEqual({ one: 'a', two: 'b' })
    expect([row?.count, row?.sumSeconds]).toEqual([5, expect.closeTo(120.0021)])
    expect([...(row?.inBucket ?? [])]).toEqual([2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
  })

  test('keeps every combination of values apart', () => {
    const sets = { a: closedSet(['1', '2']), b: closedSet(['1']), c: closedSet(['1', '2', '3']), d: closedSet(['1']) }
    const table = createDurationTable(sets)
    const [as, bs, cs, ds] = Object.values(sets).map(({ values }) => values)
    for (const a of as ?? [])
      for (const b of bs ?? [])
        for (const c of cs ?? [])
          for (const d of ds ?? []) table.add(1, sets.a.at(a), sets.b.at(b), sets.c.at(c), sets.d.at(d))
    const seen = [...table.rows()].map(({ labels, count }) => `${Object.values(labels).join('/')} ${count}`)
    expect(new Set(seen).size).toBe(3 * 2 * 4 * 2)
    expect(seen).toContain('other/1/3/other 1')
  })
})

test('lookups in memory are counted as hits and misses', async () => {
  const metrics = await createMetrics()
  const cache = createMemoryCache(10_000, metrics.looked)
  const name = repository('a/b')
  await cache.manifest(name, digest)
  await cache.keepManifest(name, digest, { mediaType: 'a/b', bytes: new Uint8Array(1) })
  for (let at = 0; at < 3; at++) await cache.manifest(name, digest)
  const found = await page(metrics)
  expect(total(found, 'mirrorball_memory_cache_lookups_total', { result: 'hit' })).toBe(3)
  expect(total(found, 'mirrorball_memory_cache_lookups_total', { result: 'miss' })).toBe(1)
})

test('operations of a bucket are counted by what became of them', async () => {
  const metrics = await createMetrics()
  const bucket = metrics.operations.writer(createMemoryBucket())
  const [there, missing] = ['some/there' as Key, 'some/missing' as Key]
  await bucket.write(there, new Uint8Array(1), wait)
  await Promise.all([bucket.head(there, wait), bucket.head(missing, wait), bucket.read(missing, 1, wait)])
  for await (const entry of bucket.list('some/' as KeyPrefix, '', wait)) expect(entry.path).toBe(there)
  await expect(bucket.head(there, { signal: AbortSignal.abort(new Error('left')) })).rejects.toThrow('left')
  const late = { signal: AbortSignal.abort(new UpstreamError('bucket', 'too slow')) }
  await expect(bucket.read(there, 10, late)).rejects.toThrow('too slow')
  await bucket.remove(there, wait)
  const found = await page(metrics)
  const count = (operation: string, result: string) =>
    total(found, 'mirrorball_bucket_operation_duration_seconds_count', { operation, result })
  expect({
    head: [count('head', 'ok'), count('head', 'missing'), count('head', 'aborted')],
    read: [count('read', 'missing'), count('read', 'failed')],
    list: count('list', 'ok'),
    write: count('write', 'ok'),
    remove: count('remove', 'ok'),
  }).toEqual({ head: [1, 1, 1], read: [1, 1], list: 1, write: 1, remove: 1 })
})

test('uploads are counted by what became of them', async () => {
  const metrics = await createMetrics()
  const objects: Objects = new Map()
  const [bucket, uploads] = [createMemoryBucket(objects), createMemoryUploads(objects)]
  const pushBlob = metrics.uploads.of(createPushBlob({ bucket, uploads, hasher: nodeHasher, random: systemRandom }))
  const name = repository('a/b')
  const chunk = (text: string) => ({ body: new Blob([text]).stream(), range: undefined, lengthBytes: undefined })
  const [first, second, third] = await Promise.all(['1', '2', '3'].map(() => pushBlob.start({ name }, 'sha256', wait)))
  if (first === undefined || second === undefined || third === undefined) throw new Error('three were opened')
  await pushBlob.append({ name }, first, chunk('x'), wait)
  await expect(pushBlob.finish({ name }, first, digest, chunk('y'), wait)).rejects.toThrow('DIGEST_INVALID')
  await pushBlob.cancel({ name }, second, wait)
  await expect(pushBlob.append({ name }, second, chunk('x'), wait)).rejects.toThrow('BLOB_UPLOAD_UNKNOWN')
  await pushBlob.finish({ name }, first, digestOf('x'), chunk(''), wait)
  const found = await page(metrics)
  const event = (event: string) => total(found, 'mirrorball_uploads_total', { event })
  expect({ opened: event('opened'), finished: event('finished'), cancelled: event('cancelled') }).toEqual({
    opened: 3,
    finished: 1,
    cancelled: 1,
  })
  expect([event('refused'), total(found, 'mirrorball_uploads_open')]).toEqual([2, 1])
})

test('docs/operations.md names every metric of ours, and no other', async () => {
  const document = await readFile(join(projectFolder, 'docs/operations.md'), 'utf8')
  const documented = [...document.matchAll(/^\| `(mirrorball_[a-z_]+)`/gm)].map(([, name]) => name)
  const { names } = await page(await createMetrics())
  expect(new Set(documented)).toEqual(new Set(names.filter((name) => name.startsWith('mirrorball_'))))
  // What else there is comes from prom-client, as the document says.
  for (const name of names) expect(name).toMatch(/^(?:mirrorball|process|nodejs)_/)
})
