// Moves house: accounts of a folder are copied to where they are kept from now on.

import type { Wait } from '../../shared/ports/bucket.ts'
import { credentialKeyName, edgeKeyName, type Records, tokenKeyName, tokensFolder, uploadKeyName } from './records.ts'

/** Is there once a folder was taken: a token that is revoked later must not come back from it. */
const takenName = 'taken'

/**
 * Copies what `to` lacks, unless that was done before, from this folder or another. What `from` has stays there.
 * @returns how many records were copied
 */
export async function takeRecords({ from, to }: { from: Records; to: Records }, wait: Wait): Promise<number> {
  if ((await to.read(takenName, wait)) !== undefined) return 0
  const tokens = (await from.names(tokensFolder, wait)).map((name) => `${tokensFolder}/${name}`)
  let found = 0
  let taken = 0
  for (const name of [tokenKeyName, uploadKeyName, edgeKeyName, credentialKeyName, ...tokens]) {
    const text = await from.read(name, wait)
    if (text === undefined) continue
    found += 1
    if (await to.create(name, text, wait)) taken += 1
  }
  // Last, so that after a crash the rest is taken at the next start. An empty folder is no move: that of another origin may
  // have more.
  if (found > 0) await to.create(takenName, '', wait)
  return taken
}
