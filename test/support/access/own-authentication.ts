// Authentication with a key made for a test, for apps in this process.

import { generateKeyPair } from 'jose'
import type { TokenAccess } from '../../../shared/auth/caller.ts'
import { createTokenService, type IssuingAuthentication } from '../../../shared/auth/token-service.ts'
import { createTokenSigner, createTokenVerifier } from '../../../shared/auth/token.ts'
import type { Clock } from '../../../shared/ports/clock.ts'
import { systemRandom } from '../../../origin/compose/system-ports.ts'
import type { RepositoryName } from '../../../shared/protocol/names.ts'

export interface OwnAuthentication {
  readonly auth: IssuingAuthentication
  /** Headers of a user whose token says this of one repository. */
  readonly headers: (
    user: string,
    name: string,
    access: Partial<TokenAccess>,
  ) => Promise<{ readonly Authorization: string }>
}

export async function ownAuthentication(clock: Clock): Promise<OwnAuthentication> {
  const service = 'test'
  const { privateKey, publicKey } = await generateKeyPair('ES256')
  const signer = createTokenSigner({ current: async () => ({ id: 'own', key: privateKey }), service, clock })
  const tokens = createTokenVerifier({ keys: { find: async () => publicKey }, service, clock })
  // Nobody signs in here: tokens are signed as the test wants them.
  const accounts = { authenticate: async () => undefined, find: async () => undefined }
  const rules = { anonymous: 'none', delete: false } as const
  const issuer = createTokenService({ rules, accounts, signer, verifier: tokens, random: systemRandom })
  return {
    auth: { service, tokens, issuer },
    async headers(user, name, { granted = [], refused = [] }) {
      const access = [{ name: name as RepositoryName, granted, refused }]
      return { Authorization: `Bearer ${await signer.access({ user, access, catalog: undefined }, 'id')}` }
    },
  }
}
