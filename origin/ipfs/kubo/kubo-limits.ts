// How long Kubo may take over what it does not report on while it is at it.

import type { KuboClient } from './kubo-client.ts'

/** What a slow disk of a busy machine still manages. */
const slowestBytesPerMs = 20_000

/** Milliseconds for a call in which Kubo reads or writes `sizeBytes` without a word. */
export function limitMsFor(kubo: KuboClient, sizeBytes: number): number {
  return kubo.timeoutMs + Math.ceil(sizeBytes / slowestBytesPerMs)
}
