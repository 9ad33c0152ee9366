// Time, as a port: nothing in shared/ reads a clock or sets a timer of its own, so that all of it can be run under a
// simulated one.

export interface Clock {
  /** Milliseconds since 1970-01-01T00:00Z. */
  now(): number

  /** Calls back once after `ms`, unless the returned function is called before. */
  after(ms: number, callback: () => void): () => void
}
