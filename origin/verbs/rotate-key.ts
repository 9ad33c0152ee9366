// A new key for the tokens that the origin signs, as the operator asks for it.

import { publishKeys } from '../../shared/auth/access-document.ts'
import type { PublicKey } from '../../shared/auth/public-key.ts'
import { rotateTokenKey } from '../accounts/token-keys.ts'
import { openRecords } from '../compose/account-records.ts'
import { systemClock } from '../compose/system-ports.ts'
import type { VerbRun } from './run-verb.ts'

/** Has a new key sign tokens, here and at once; edges know it before anybody has a token of it. */
export async function rotateKey({ config, bucket, wait }: VerbRun, isLost: boolean): Promise<string> {
  const records = await openRecords(config, async () => bucket)
  const publish = (keys: readonly PublicKey[]) => publishKeys(bucket, keys, wait)
  return `${await rotateTokenKey(records, systemClock, isLost, publish, wait)}\n`
}
