// Moves house: accounts of a folder are copied to where they are kept from now on.

import type { Wait } from '../../shared/ports/bucket.ts'
import { credentialKeyName, edgeKeyName, type Records, tokenKeyName, tokensFolder, uploadKeyName } from './records.ts'
import { isTokenId } from './token-text.ts'

/** Is there once a folder was taken: a token that is revoked later must not come back from it. */
const takenName = 'taken'

export interface TakenRecords {
  readonly taken: readonly string[]
  /** Those of which `to` had others. */
  readonly left: readonly string[]
}

/** Copies what `to` lacks, unless that was done before, from this folder or another. What `from` has stays there. */
export async function takeRecords({ from, to }: { from: Records; to: Records }, wait: Wait): Promise<TakenRecords> {
  const taken: string[] = []
  const left: string[] = []
  if ((await to.read(takenName, wait)) !== undefined) return { taken, left }
  const tokens = (await from.names(tokensFolder, wait))
    .filter((name) => isTokenId(name.replace(/\.(?:json|used)$/, '')))
    .map((name) => `${tokensFolder}/${name}`)
  for (const name of [tokenKeyName, uploadKeyName, edgeKeyName, credentialKeyName, ...tokens]) {
    const text = await from.read(name, wait)
    if (text === undefined) continue
    const target = (await to.create(name, text, wait)) ? taken : left
    target.push(name)
  }
  // Last, so that after a crash the rest is taken at the next start. An empty folder is no move: that of another origin may
  // have more.
  if (taken.length + left.length > 0) await to.create(takenName, '', wait)
  return { taken, left }
}
