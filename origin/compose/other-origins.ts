// What this origin tells others on the same bucket of itself, where it may be one of several.

import { createHash } from 'node:crypto'
import { hostname } from 'node:os'
import { type AccessRules, hasUsers } from '../../shared/auth/access.ts'
import { accessDocumentText } from '../../shared/auth/access-document.ts'
import type { Log } from '../../shared/ports/log.ts'
import type { Repeating } from '../../shared/concurrency/repeat.ts'
import { unhurried } from '../../shared/concurrency/unhurried.ts'
import { joinOrigins } from '../../shared/registry/join-origins.ts'
import type { OriginTraits } from '../../shared/registry/origin-mark.ts'
import { randomKey } from '../accounts/random-key.ts'
import { credentialKeyName, type Records, uploadKeyName } from '../accounts/records.ts'
import { openTokenKeys } from '../accounts/token-keys.ts'
import { accountsSecret, formatAddress } from '../config/addresses.ts'
import type { Config } from '../config/schema.ts'
import { accessDocument } from './authentication.ts'
import { edgeKey } from './edge-key.ts'
import type { OpenBucket } from './open-bucket.ts'
import { systemClock, systemRandom } from './system-ports.ts'

/** Undefined where the bucket is a folder, or nothing is written. Rejects as `joinOrigins` does. */
export async function joinOtherOrigins(
  config: Config,
  access: AccessRules,
  { bucket, conditionalWrites }: OpenBucket,
  records: Records,
  log: Log,
): Promise<Repeating | undefined> {
  if (conditionalWrites === undefined) return undefined
  const keys = await openKeys(config, access, records)
  const told = accessDocumentText(accessDocument(config, access, []))
  const traits = async (): Promise<OriginTraits> => ({
    host: `${hostname()}, ${formatAddress(config.origin.listen)}`,
    conditionalWrites,
    keys: await keys(),
    rules: fingerprint(told),
  })
  return joinOrigins({ bucket, clock: systemClock, random: systemRandom, log, traits }, unhurried)
}

/** What origins on one bucket need the same of, as far as this one uses it. Only fingerprints go out. */
async function openKeys(
  config: Config,
  access: AccessRules,
  records: Records,
): Promise<() => Promise<OriginTraits['keys']>> {
  const fixed: Record<string, readonly string[]> = {
    // With the same keys in bucket and folder, tokens would be made and revoked in one of them alone.
    'origin.key': [accountsSecret(config) === undefined ? 'not set' : 'set'],
    'edge.key (or accounts/edge-key)': [fingerprint(await edgeKey(config, async () => records))],
  }
  if (config.origin.public_url !== undefined)
    fixed['accounts/upload-key'] = [fingerprint(await randomKey(records, uploadKeyName, unhurried))]
  if (config.access.htpasswd !== undefined)
    fixed['accounts/credential-key'] = [fingerprint(await randomKey(records, credentialKeyName, unhurried))]
  if (!hasUsers(access)) return async () => fixed
  const tokenKeys = await openTokenKeys(records, systemClock, unhurried)
  // Those before the last change too: the others may not have seen it yet.
  return async () => ({ ...fixed, 'accounts/token-key.json': (await tokenKeys.published()).map(({ kid }) => kid) })
}

function fingerprint(secret: string | Uint8Array): string {
  return createHash('sha256').update('mirrorball origin\0').update(secret).digest('hex').slice(0, 32)
}
