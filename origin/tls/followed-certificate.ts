// The certificate in use: the one that lies in the files, and when they change the next one. Whoever renews it replaces
// two files, one after the other, or switches a link to their folder; so the files are looked at every so often, and what
// does not fit together is not taken.

import { stat } from 'node:fs/promises'
import type { Clock } from '../../shared/ports/clock.ts'
import type { Log } from '../../shared/ports/log.ts'
import { type CertificateFiles, type CertificatePair, readCertificatePair } from './certificate-pair.ts'

export interface FollowedCertificate {
  /** The last pair that could be used. */
  readonly pair: CertificatePair
  /** Is called with each new pair from now on. */
  onChange(take: (pair: CertificatePair) => void): void
  /** Reads the files at once, changed or not. Never rejects: a fault is logged, and the old pair stays. */
  reload(): Promise<void>
  stop(): void
}

/** Milliseconds between two looks at the files. */
const lookEveryMs = 2000

/** Rejects as `readCertificatePair` does, where there is no pair to begin with. */
export async function followCertificate(deps: {
  readonly files: CertificateFiles
  readonly clock: Clock
  readonly log: Log
}): Promise<FollowedCertificate> {
  const { files, clock, log } = deps
  const takers: ((pair: CertificatePair) => void)[] = []
  // Before the read: what changes meanwhile is then seen at the next look.
  let seen = await stateOf(files)
  let pair = await readCertificatePair(files)
  let stopped = false
  tell(log, pair)

  async function reload(): Promise<void> {
    try {
      const next = await readCertificatePair(files)
      if (stopped || (next.cert === pair.cert && next.key === pair.key)) return
      for (const take of takers) take(next)
      pair = next
      tell(log, pair)
    } catch (error) {
      log.error('the certificate in the files cannot be used; the one before stays', { serial: pair.serial }, error)
    }
  }

  async function look(): Promise<void> {
    const state = await stateOf(files)
    if (state !== seen) {
      seen = state
      await reload()
    }
    if (!stopped) cancel = clock.after(lookEveryMs, () => void look())
  }
  let cancel = clock.after(lookEveryMs, () => void look())

  return {
    get pair() {
      return pair
    },
    onChange: (take) => void takers.push(take),
    reload,
    stop() {
      stopped = true
      cancel()
    },
  }
}

function tell(log: Log, { serial, validTo }: CertificatePair): void {
  log.info('certificate', { serial, valid_to: validTo })
}

/** Another text whenever one of the files is another one, or was written to; links are followed. */
async function stateOf({ certFile, keyFile }: CertificateFiles): Promise<string> {
  const states = [certFile, keyFile].map(async (file) => {
    try {
      const { dev, ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true })
      return [dev, ino, size, mtimeNs, ctimeNs].join(' ')
    } catch (error) {
      // The read says what is wrong with it.
      return String(error)
    }
  })
  return (await Promise.all(states)).join('\n')
}
