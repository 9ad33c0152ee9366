// Who may sign in at the origin, and the keys that edges know its tokens by.

import { type AccessRules, defaultService, hasUsers } from '../../shared/auth/access.ts'
import type { Authentication } from '../../shared/auth/authentication.ts'
import { importPublicKey, type PublicKey, readKeys, writeKeys } from '../../shared/auth/published-keys.ts'
import { createTokenService, type TokenService } from '../../shared/auth/token-service.ts'
import { createTokenSigner, createTokenVerifier } from '../../shared/auth/token.ts'
import { accessKey } from '../../shared/layout/keys.ts'
import type { Accounts } from '../../shared/ports/accounts.ts'
import type { Bucket } from '../../shared/ports/bucket.ts'
import { unhurried } from '../../shared/ports/unhurried.ts'
import { tokenKey } from '../accounts/token-keys.ts'
import { tokenKeyFile } from '../config/addresses.ts'
import type { Config } from '../config/schema.ts'
import { systemClock, systemRandom } from './system-ports.ts'

/** Bytes; as edges read it. */
const documentLimitBytes = 64 * 1024

/** Undefined where nobody can sign in. */
export async function startAuthentication(deps: {
  readonly config: Config
  readonly access: AccessRules
  readonly bucket: Bucket
  readonly accounts: Accounts
}): Promise<{ readonly auth: Authentication; readonly tokens: TokenService } | undefined> {
  const { config, access, bucket, accounts } = deps
  if (!hasUsers(access)) return undefined
  const service = access.service ?? defaultService
  const { signing, published } = await tokenKey(tokenKeyFile(config))
  await publishKey(bucket, published, config.access.read_only)
  const verifying = await importPublicKey(published)
  const keys = { find: async (id: string) => (id === signing.id ? verifying : undefined) }
  const verifier = createTokenVerifier({ keys, service, clock: systemClock })
  const signer = createTokenSigner({ current: async () => signing, service, clock: systemClock })
  return {
    auth: { service, tokens: verifier },
    tokens: createTokenService({ rules: access, accounts, signer, verifier, random: systemRandom }),
  }
}

/** Edges look once a minute. Where nothing may be written, another origin has published it. */
async function publishKey(bucket: Bucket, key: PublicKey, readOnly: boolean): Promise<void> {
  const there = await bucket.read(accessKey, documentLimitBytes, unhurried)
  const known = there === undefined ? undefined : readKeys(there)
  if (known?.some(({ kid }) => kid === key.kid) === true || readOnly) return
  await bucket.write(accessKey, writeKeys([key]), unhurried)
}
