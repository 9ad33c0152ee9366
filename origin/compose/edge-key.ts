// The key by which the origin knows its edges: the one that is configured, or else the one among the accounts, which
// processes on one machine share.

import { unhurried } from '../../shared/concurrency/unhurried.ts'
import { createEdgeWord, type EdgeWord } from '../../shared/auth/edge-word.ts'
import { randomKey } from '../accounts/random-key.ts'
import { edgeKeyName, type Records } from '../accounts/records.ts'
import type { Config } from '../config/schema.ts'
import { systemClock } from './system-ports.ts'

/** As it is configured, and as it stands in its record. @param records are opened only where it is not configured */
export async function edgeKey(config: Config, records: () => Promise<Records>): Promise<string> {
  if (config.edge.key !== undefined) return config.edge.key
  return Buffer.from(await randomKey(await records(), edgeKeyName, unhurried)).toString('base64url')
}

export async function openEdgeWord(config: Config, records: () => Promise<Records>): Promise<EdgeWord> {
  return createEdgeWord({ key: new TextEncoder().encode(await edgeKey(config, records)), clock: systemClock })
}
