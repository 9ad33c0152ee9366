// Connections to a process of our own that shows the certificate which we show as well. Such a connection goes to an
// address that the certificate does not name, so it is not the name that is looked at: it must be this very certificate.

import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { Agent, buildConnector } from 'undici'
import { leastTlsVersion } from './certificate-pair.ts'

/** @param certFile PEM; what lies there now is trusted, and what lay there before: the other process may not have changed yet */
export function ownCertificateAgent(certFile: string): Agent {
  let [current, before]: string[] = []

  /** PEM of the certificates that are trusted; none of their issuers are, who sign for others too. */
  async function trusted(): Promise<string[]> {
    const now = await readFile(certFile).then(leafOf, () => undefined)
    if (now !== undefined && now !== current) [current, before] = [now, current]
    return [current, before].filter((each) => each !== undefined)
  }
  return new Agent({
    connect(options, callback) {
      void trusted().then((ca) => {
        const connect = buildConnector({
          ca,
          allowPartialTrustChain: true,
          checkServerIdentity: () => undefined,
          minVersion: leastTlsVersion,
          maxCachedSessions: 0,
        })
        connect(options, callback)
      })
    },
  })
}

function leafOf(pem: Buffer): string | undefined {
  try {
    return new X509Certificate(pem).toString()
  } catch {
    return undefined
  }
}
