// What every listening process does the same way: its own listener, and where it is wanted one for its metrics.

import type { Log } from '../../shared/ports/log.ts'
import { formatAddress } from '../config/addresses.ts'
import type { Config, ListenAddress } from '../config/schema.ts'
import { createMetrics, type Metrics } from '../metrics/metrics.ts'
import { listenHttp } from './http-listener.ts'
import { metricsFetch } from './metrics-fetch.ts'

/** Counts, and where they can be read; apart from the main listener, which strangers reach. */
export interface MeasuredAt {
  readonly metrics: Metrics
  readonly address: ListenAddress
}

/** @param address where metrics are to be read; undefined: nothing is counted, and nothing loaded for it */
export async function measuredAt(address: ListenAddress | undefined): Promise<MeasuredAt | undefined> {
  return address === undefined ? undefined : { metrics: await createMetrics(), address }
}

export interface Serving {
  /** With the port that was really taken. */
  readonly address: ListenAddress
  /** Where the metrics are. */
  readonly metricsUrl: string | undefined
  /** Lets requests in flight end. */
  readonly stop: () => Promise<void>
}

/** Listens; with both listeners or with none. */
export async function serve(options: {
  readonly config: Config
  readonly fetch: (request: Request) => Response | Promise<Response>
  readonly address: ListenAddress
  readonly measured: MeasuredAt | undefined
  readonly log: Log
}): Promise<Serving> {
  const { config, fetch, address, measured, log } = options
  const { idle_timeout_ms: idleTimeoutMs, drain_ms: drainMs } = config.http
  const own =
    measured &&
    (await listenHttp({ fetch: metricsFetch(measured.metrics), address: measured.address, idleTimeoutMs, log }))
  try {
    const main = await listenHttp({ fetch, address, idleTimeoutMs, log, traffic: measured?.metrics.traffic })
    return {
      address: main.address,
      metricsUrl: own && `http://${formatAddress(own.address)}/metrics`,
      async stop() {
        await main.drain(drainMs)
        await own?.drain(0)
      },
    }
  } catch (error) {
    await own?.drain(0)
    throw error
  }
}
