// A token service with its keys in a folder, its users in memory, and edges that read the keys from a bucket in memory.

import { join } from 'node:path'
import { openTokenKeys, rotateTokenKey } from '../../../origin/accounts/token-keys.ts'
import { systemRandom } from '../../../origin/process/system-ports.ts'
import type { AccessRules } from '../../../shared/auth/access.ts'
import { createPublishedKeys, publishKeys } from '../../../shared/auth/published-keys.ts'
import { createTokenService } from '../../../shared/auth/token-service.ts'
import { createTokenSigner, createTokenVerifier } from '../../../shared/auth/token.ts'
import type { Account, Accounts } from '../../../shared/ports/accounts.ts'
import type { Bucket, Wait } from '../../../shared/ports/bucket.ts'
import type { Clock } from '../../../shared/ports/clock.ts'
import { parseScopes } from '../../../shared/protocol/scope.ts'
import { createRecordingLog } from '../recording-log.ts'
import { temporaryFolder } from '../stack.ts'

const service = 'registry.test'

/** Milliseconds that an edge waits for the bucket. */
export const bucketTimeoutMs = 1000

export async function tokenWorld(parts: {
  readonly rules: AccessRules
  readonly clock: Clock
  readonly bucket: Bucket
  /** By user; the password of each is `<user>-secret`. */
  readonly accounts: Map<string, Omit<Account, 'user'>>
}) {
  const { rules, clock, bucket, accounts } = parts
  const folder = await temporaryFolder()
  const file = join(folder.path, 'accounts', 'token-key.json')
  const wait: Wait = { signal: new AbortController().signal }
  const keys = await openTokenKeys(file, clock)
  await publishKeys(bucket, await keys.published(), wait)
  const verifier = createTokenVerifier({ keys, service, clock })
  const signer = createTokenSigner({ current: () => keys.current(), service, clock })
  const known: Accounts = {
    async authenticate(user, secret) {
      const account = accounts.get(user)
      return account !== undefined && secret === `${user}-secret` ? { user, ...account } : undefined
    },
    async find(user, credential) {
      const account = accounts.get(user)
      return account?.credential === credential ? { user, ...account } : undefined
    },
  }
  const tokens = createTokenService({ rules, accounts: known, signer, verifier, random: systemRandom })
  const log = createRecordingLog()
  return {
    verifier,
    signer,
    tokens,
    lines: log.lines,
    wait,
    file,
    /** An edge of its own. */
    edge: () =>
      createTokenVerifier({
        keys: createPublishedKeys({ bucket, clock, log, timeoutMs: bucketTimeoutMs }),
        service,
        clock,
      }),
    async signIn(user: string, scopes: string, wantsRefresh = false) {
      const proof = { kind: 'password', user, secret: `${user}-secret` } as const
      const issued = await tokens.issue(proof, parseScopes([scopes]) ?? [], wantsRefresh, wait)
      if (issued === undefined) throw new Error(`${user} could not sign in`)
      return issued
    },
    rotate: (isLost: boolean) =>
      rotateTokenKey(file, clock, isLost, (published) => publishKeys(bucket, published, wait)),
    remove: folder.remove,
  }
}
