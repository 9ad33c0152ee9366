// The key by which the origin knows its edges: the one that is configured, or else the one in the data folder, which
// processes on one machine share.

import { createEdgeWord, type EdgeWord } from '../../shared/auth/edge-word.ts'
import { randomKey } from '../accounts/random-key.ts'
import { edgeKeyFile } from '../config/addresses.ts'
import type { Config } from '../config/schema.ts'
import { systemClock } from './system-ports.ts'

/** As it is configured, and as it stands in its file. */
export async function edgeKey(config: Config): Promise<string> {
  return config.edge.key ?? Buffer.from(await randomKey(edgeKeyFile(config))).toString('base64url')
}

export async function openEdgeWord(config: Config): Promise<EdgeWord> {
  return createEdgeWord({ key: new TextEncoder().encode(await edgeKey(config)), clock: systemClock })
}
