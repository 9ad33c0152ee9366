// All metrics of a process. What is counted is counted here and in the files beside it, in plain numbers; prom-client
// makes the text of them and adds what it knows of the process. It is loaded only where metrics are asked for, because it
// takes memory.

import type { Metric, MetricType } from 'prom-client'
import { countOperations, type CountedOperations } from './bucket-operations.ts'
import { bucketLimitsSeconds, type DurationTable } from './duration-table.ts'
import { type CountedRequests, countRequests } from './requests.ts'
import { type Traffic, watchTraffic } from './traffic.ts'
import { type CountedUploads, countUploads, uploadEvents } from './uploads.ts'

/** Milliseconds between looks at the event loop: finer ones wake an idle process more often. */
const eventLoopLookMs = 100

export interface Metrics {
  readonly requests: CountedRequests
  readonly traffic: Traffic
  readonly operations: CountedOperations
  readonly uploads: CountedUploads
  /** A manifest was looked for in memory. */
  readonly looked: (found: boolean) => void
  /** In Prometheus' text format. */
  text(): Promise<{ readonly contentType: string; readonly body: string }>
}

interface Value {
  readonly value: number
  readonly labels: Readonly<Record<string, string | number>>
  readonly metricName?: string
}

interface Family {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  readonly values: () => readonly Value[]
}

export async function createMetrics(): Promise<Metrics> {
  // CommonJS, of which a bundle knows no single names.
  const { collectDefaultMetrics, Registry } = (await import('prom-client')).default
  const registry = new Registry()
  const lookups = { hit: 0, miss: 0 }
  const parts = {
    requests: countRequests(),
    traffic: watchTraffic(),
    operations: countOperations(),
    uploads: countUploads(),
  }
  for (const family of families(parts, lookups)) registry.registerMetric(asMetric(family))
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: eventLoopLookMs })
  return {
    ...parts,
    looked: (found) => void (lookups[found ? 'hit' : 'miss'] += 1),
    text: async () => ({ contentType: registry.contentType, body: await registry.metrics() }),
  }
}

type Parts = Pick<Metrics, 'requests' | 'traffic' | 'operations' | 'uploads'>

/** docs/operations.md lists them; a test holds the two together. */
function families(parts: Parts, lookups: Readonly<Record<'hit' | 'miss', number>>): readonly Family[] {
  const { requests, traffic, operations, uploads } = parts
  return [
    {
      name: 'mirrorball_http_requests_total',
      type: 'counter',
      help: 'Requests whose answer has begun.',
      values: () => counts(requests.table),
    },
    {
      name: 'mirrorball_http_request_duration_seconds',
      type: 'histogram',
      help: 'Time until the answer began.',
      values: () => histogram('mirrorball_http_request_duration_seconds', requests.table),
    },
    {
      name: 'mirrorball_http_requests_in_flight',
      type: 'gauge',
      help: 'Requests whose answer has not ended.',
      values: () => [{ labels: {}, value: traffic.inFlight }],
    },
    {
      name: 'mirrorball_http_received_bytes_total',
      type: 'counter',
      help: 'Bytes received on connections of the main listener.',
      values: () => [{ labels: {}, value: traffic.bytes().received }],
    },
    {
      name: 'mirrorball_http_sent_bytes_total',
      type: 'counter',
      help: 'Bytes sent on connections of the main listener.',
      values: () => [{ labels: {}, value: traffic.bytes().sent }],
    },
    {
      name: 'mirrorball_bucket_operation_duration_seconds',
      type: 'histogram',
      help: 'Time of operations on the bucket: until it answered, of a list until its first entry.',
      values: () => histogram('mirrorball_bucket_operation_duration_seconds', operations.table),
    },
    {
      name: 'mirrorball_memory_cache_lookups_total',
      type: 'counter',
      help: 'Manifests looked for in memory.',
      values: () => [
        { labels: { result: 'hit' }, value: lookups.hit },
        { labels: { result: 'miss' }, value: lookups.miss },
      ],
    },
    {
      name: 'mirrorball_uploads_total',
      type: 'counter',
      help: 'Events of upload sessions.',
      values: () => uploadEvents.map((event) => ({ labels: { event }, value: uploads.counts[event] })),
    },
    {
      name: 'mirrorball_uploads_open',
      type: 'gauge',
      help: 'Upload sessions that are open.',
      values: () => [{ labels: {}, value: uploads.open() }],
    },
  ]
}

function counts(table: DurationTable): Value[] {
  return Array.from(table.rows(), ({ labels, count }) => ({ labels, value: count }))
}

/** A histogram's buckets are cumulative. Source: Prometheus, "Exposition formats". */
function histogram(name: string, table: DurationTable): Value[] {
  return Array.from(table.rows()).flatMap(({ labels, inBucket, count, sumSeconds }) => {
    let below = 0
    const buckets = bucketLimitsSeconds.map((le, at) => {
      below += inBucket[at] ?? 0
      return { labels: { ...labels, le }, value: below, metricName: `${name}_bucket` }
    })
    return [
      ...buckets,
      { labels: { ...labels, le: '+Inf' }, value: count, metricName: `${name}_bucket` },
      { labels, value: sumSeconds, metricName: `${name}_sum` },
      { labels, value: count, metricName: `${name}_count` },
    ]
  })
}

/**
 * A metric of prom-client without its own counting, which makes a text of the labels for every request. A registry asks
 * a metric for nothing but this; its types say that it must be one of the library's classes.
 */
function asMetric({ name, type, help, values }: Family): Metric {
  const kind = type as unknown as MetricType
  const metric = { name, help, type: kind, get: async () => ({ name, help, type: kind, values: values() }) }
  return metric as unknown as Metric
}
