// Public prices of Cloudflare, in US dollars a million, without what is included.

import type { Operations } from './operations.ts'

export const prices = {
  requests: 0.3,
  classA: 4.5,
  classB: 0.36,
  kvReads: 0.5,
  kvWrites: 5,
  fetches: 0,
  cpuMs: 0.02,
} as const satisfies Record<keyof Operations | 'cpuMs', number>

/** Milliseconds of CPU a request that prices are made with: what was measured where no bucket is played, rounded up. */
export const assumedCpuMs = 1

/** Dollars for a million times this. */
export function priceOfMillion(operations: Operations): number {
  const names = Object.keys(operations) as (keyof Operations)[]
  const ofOperations = names.reduce((total, each) => total + operations[each] * prices[each], 0)
  return ofOperations + operations.requests * assumedCpuMs * prices.cpuMs
}
