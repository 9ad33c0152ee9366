// What every listening process does the same way: its own listener, and where it is wanted one for its metrics.

import type { EdgeWord } from '../../shared/auth/edge-word.ts'
import type { ClientBindings } from '../../shared/ports/client-info.ts'
import type { Log } from '../../shared/ports/log.ts'
import { formatAddress, trustedProxies } from '../config/addresses.ts'
import { ConfigError } from '../config/config-error.ts'
import type { Config, ListenAddress } from '../config/schema.ts'
import { createMetrics, type Metrics } from '../metrics/metrics.ts'
import { type FollowedCertificate, followCertificate } from '../tls/followed-certificate.ts'
import type { CertificateFiles } from '../tls/certificate-pair.ts'
import { onHangUp } from './hang-up.ts'
import { type HttpListener, listenHttp } from '../http/http-listener.ts'
import { metricsFetch } from './metrics-fetch.ts'
import { systemClock } from '../compose/system-ports.ts'

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
  /** The same, as clients write it. */
  readonly url: string
  /** Where the metrics are. */
  readonly metricsUrl: string | undefined
  /** Lets requests in flight end. */
  readonly stop: () => Promise<void>
}

/**
 * Listens; with both listeners or with none.
 * @param options.tls for the main listener; without it, plain HTTP
 * @param options.edgeWord by which edges are known that ask for others
 */
export async function serve(options: {
  readonly config: Config
  readonly fetch: (request: Request, bindings: ClientBindings) => Response | Promise<Response>
  readonly address: ListenAddress
  readonly measured: MeasuredAt | undefined
  readonly log: Log
  readonly tls?: CertificateFiles | undefined
  readonly edgeWord?: EdgeWord | undefined
}): Promise<Serving> {
  const { config, fetch, address, measured, log, tls, edgeWord } = options
  const certificate = tls && (await startCertificate(tls, log))
  const ignoreHangUps = certificate && onHangUp(() => void certificate.reload())
  const endCertificate = () => {
    ignoreHangUps?.()
    certificate?.stop()
  }
  const { idle_timeout_ms: idleTimeoutMs, drain_ms: drainMs } = config.http
  const proxies = trustedProxies(config)
  let own: HttpListener | undefined
  try {
    own =
      measured &&
      (await listenHttp({ fetch: metricsFetch(measured.metrics), address: measured.address, idleTimeoutMs, log }))
    const main = await listenHttp({
      fetch,
      address,
      idleTimeoutMs,
      log,
      traffic: measured?.metrics.traffic,
      certificate,
      trustedProxies: proxies,
      edgeWord,
      perClient: { limit: config.http.connections_per_client, exempt: proxies },
    })
    return {
      address: main.address,
      url: `${certificate === undefined ? 'http' : 'https'}://${formatAddress(main.address)}`,
      metricsUrl: own && `http://${formatAddress(own.address)}/metrics`,
      async stop() {
        endCertificate()
        await main.drain(drainMs)
        await own?.drain(0)
      },
    }
  } catch (error) {
    endCertificate()
    await own?.drain(0)
    throw error
  }
}

/** @throws ConfigError where the files cannot be used */
async function startCertificate(files: CertificateFiles, log: Log): Promise<FollowedCertificate> {
  try {
    return await followCertificate({ files, clock: systemClock, log })
  } catch (error) {
    throw new ConfigError([error instanceof Error ? error.message : String(error)])
  }
}
