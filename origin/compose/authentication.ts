// Who may sign in at the origin, and what edges are told: the rules, and the keys that they know its tokens by.

import { type AccessRules, defaultService, hasUsers } from '../../shared/auth/access.ts'
import { type AccessDocument, isPublished, publishAccess } from '../../shared/auth/access-document.ts'
import type { PublicKey } from '../../shared/auth/public-key.ts'
import { createTokenService, type IssuingAuthentication } from '../../shared/auth/token-service.ts'
import { createTokenSigner, createTokenVerifier } from '../../shared/auth/token.ts'
import type { Accounts } from '../../shared/ports/accounts.ts'
import type { Bucket } from '../../shared/ports/bucket.ts'
import type { Log } from '../../shared/ports/log.ts'
import { unhurried } from '../../shared/concurrency/unhurried.ts'
import type { Records } from '../accounts/records.ts'
import { openTokenKeys, type TokenKeys } from '../accounts/token-keys.ts'
import { areUnasked } from '../config/addresses.ts'
import type { Config } from '../config/schema.ts'
import { systemClock, systemRandom } from './system-ports.ts'

export interface StartedAuthentication {
  /** Undefined where nobody can sign in. */
  readonly auth: IssuingAuthentication | undefined
  /** Tells the edges. Only to be called by an origin that serves: what it says is what they do. */
  readonly publish: () => Promise<void>
}

export async function startAuthentication(deps: {
  readonly config: Config
  readonly access: AccessRules
  readonly bucket: Bucket
  readonly records: Records
  readonly accounts: Accounts
  readonly log: Log
}): Promise<StartedAuthentication> {
  const { access, records, accounts } = deps
  const keys = hasUsers(access) ? await openTokenKeys(records, systemClock, unhurried) : undefined
  const publish = () => tellEdges(deps, keys)
  if (keys === undefined) return { auth: undefined, publish }
  const service = access.service ?? defaultService
  const verifier = createTokenVerifier({ keys, service, clock: systemClock })
  const signer = createTokenSigner({ current: () => keys.current(), service, clock: systemClock })
  const issuer = createTokenService({ rules: access, accounts, signer, verifier, random: systemRandom })
  return { auth: { service, tokens: verifier, issuer }, publish }
}

/** What an origin of this configuration tells edges. */
export function accessDocument(config: Config, access: AccessRules, keys: readonly PublicKey[]): AccessDocument {
  const { readOnly: _, ...rules } = access
  return { rules, loopback: areUnasked(config, access), keys: [...keys] }
}

async function tellEdges(
  { config, access, bucket, log }: { config: Config; access: AccessRules; bucket: Bucket; log: Log },
  keys: TokenKeys | undefined,
): Promise<void> {
  const document = accessDocument(config, access, (await keys?.published()) ?? [])
  if (access.readOnly !== true) {
    if (await publishAccess(bucket, document, unhurried)) log.info('published the access rules; edges follow')
  } else if (!(await isPublished(bucket, document, unhurried))) {
    log.warn(
      'edges have other access rules or keys, or none, and a read-only origin writes nothing: start an origin without access.read_only once',
      {},
    )
  }
}
