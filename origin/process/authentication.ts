// Who may sign in at the origin, and the keys that edges know its tokens by.

import { type AccessRules, defaultService, hasUsers } from '../../shared/auth/access.ts'
import { type PublicKey, publishKeys } from '../../shared/auth/published-keys.ts'
import { createTokenService, type IssuingAuthentication } from '../../shared/auth/token-service.ts'
import { createTokenSigner, createTokenVerifier } from '../../shared/auth/token.ts'
import type { Accounts } from '../../shared/ports/accounts.ts'
import type { Bucket } from '../../shared/ports/bucket.ts'
import { unhurried } from '../../shared/ports/unhurried.ts'
import { openTokenKeys, rotateTokenKey } from '../accounts/token-keys.ts'
import { tokenKeyFile } from '../config/addresses.ts'
import type { Config } from '../config/schema.ts'
import type { VerbRun } from './run-verb.ts'
import { systemClock, systemRandom } from './system-ports.ts'

/** Undefined where nobody can sign in. */
export async function startAuthentication(deps: {
  readonly config: Config
  readonly access: AccessRules
  readonly bucket: Bucket
  readonly accounts: Accounts
}): Promise<IssuingAuthentication | undefined> {
  const { config, access, bucket, accounts } = deps
  if (!hasUsers(access)) return undefined
  const service = access.service ?? defaultService
  const keys = await openTokenKeys(tokenKeyFile(config), systemClock)
  // Where nothing may be written, another origin does it.
  if (!config.access.read_only) await publishKeys(bucket, await keys.published(), unhurried)
  const verifier = createTokenVerifier({ keys, service, clock: systemClock })
  const signer = createTokenSigner({ current: () => keys.current(), service, clock: systemClock })
  return {
    service,
    tokens: verifier,
    issuer: createTokenService({ rules: access, accounts, signer, verifier, random: systemRandom }),
  }
}

/** Has a new key sign tokens, here and at once; edges know it before anybody has a token of it. */
export async function rotateKey({ config, bucket, wait }: VerbRun, isLost: boolean): Promise<string> {
  const publish = (keys: readonly PublicKey[]) => publishKeys(bucket, keys, wait)
  return `${await rotateTokenKey(tokenKeyFile(config), systemClock, isLost, publish)}\n`
}
