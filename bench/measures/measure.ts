// What a measure gets to work with, and what it returns.

import type { Ratio } from '../statistics.ts'

export interface BenchOptions {
  /** Rounds before those that count. */
  readonly warmUp: number
  /** Rounds; in each, every peer is measured once. */
  readonly rounds: number
  /** Seconds of load in each round. */
  readonly loadSeconds: number
  /** An empty folder on the disk that is measured. */
  readonly folder: string
  /** The zot binary, where there is one. */
  readonly zot: string | undefined
  /** The binary of Forta's Disco, where there is one. */
  readonly disco: string | undefined
  /** The binary of versitygw, an S3 server, where there is one. */
  readonly versitygw: string | undefined
  /** The bundled worker of cloudflare/serverless-registry, where there is one. */
  readonly serverlessRegistry: string | undefined
  /** Tells people what is going on. */
  readonly say: (text: string) => void
}

/** One line of the report. */
export interface Line {
  readonly what: string
  readonly peer: string
  /** Medians over the rounds, as people read them, e.g. `712 ms`. */
  readonly figure: string
  /** Of our speed to the peer's: above 1 we are faster. Undefined in our own line. */
  readonly ratio?: Ratio
  /** What issue or design ask of the ratio. */
  readonly target?: number
}

export interface Measure {
  readonly name: string
  /** How it was taken, for the report. */
  readonly about: string
  run(options: BenchOptions): Promise<Line[]>
}
