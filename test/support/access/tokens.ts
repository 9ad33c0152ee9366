// A token service with its keys in a folder, its users in memory, and edges that read the keys from a bucket in memory.

import { dirname, join } from 'node:path'
import { createFolderRecords } from '../../../origin/accounts/folder-records.ts'
import { openTokenKeys, rotateTokenKey } from '../../../origin/accounts/token-keys.ts'
import { systemRandom } from '../../../origin/compose/system-ports.ts'
import type { AccessRules } from '../../../shared/auth/access.ts'
import { publishAccess, publishKeys } from '../../../shared/auth/access-document.ts'
import { createTokenService } from '../../../shared/auth/token-service.ts'
import { createTokenSigner, createTokenVerifier } from '../../../shared/auth/token.ts'
import { createPublishedAccess } from '../../../shared/edge/published-access.ts'
import type { Account, Accounts } from '../../../shared/ports/accounts.ts'
import type { Bucket, BucketReader, Wait } from '../../../shared/ports/bucket.ts'
import type { Clock } from '../../../shared/ports/clock.ts'
import type { Log } from '../../../shared/ports/log.ts'
import { parseScopes } from '../../../shared/protocol/scope.ts'
import { createRecordingLog } from '../recording-log.ts'
import { temporaryFolder } from '../stack.ts'

/** Milliseconds that an edge waits for the bucket. */
export const bucketTimeoutMs = 1000

/** How an edge sees tokens that come with requests. */
export function verifierOfEdge(deps: { readonly bucket: BucketReader; readonly clock: Clock; readonly log: Log }) {
  const policy = createPublishedAccess({ ...deps, timeoutMs: bucketTimeoutMs, readOnly: false, onLoopback: false })
  return {
    async access(token: string, wait: Wait) {
      const { auth } = await policy(wait)
      return auth?.tokens.access(token, wait)
    },
  }
}

export async function tokenWorld(parts: {
  readonly rules: AccessRules
  readonly clock: Clock
  readonly bucket: Bucket
  /** By user; the password of each is `<user>-secret`. */
  readonly accounts: Map<string, Omit<Account, 'user'>>
}) {
  const { clock, bucket, accounts } = parts
  const service = 'registry.test'
  const rules = { ...parts.rules, service }
  const folder = await temporaryFolder()
  const file = join(folder.path, 'accounts', 'token-key.json')
  const wait: Wait = { signal: new AbortController().signal }
  const records = createFolderRecords(dirname(file))
  const keys = await openTokenKeys(records, clock, wait)
  await publishAccess(bucket, { rules, loopback: false, keys: [...(await keys.published())] }, wait)
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
    edge: () => verifierOfEdge({ bucket, clock, log }),
    async signIn(user: string, scopes: string, wantsRefresh = false) {
      const proof = { kind: 'password', user, secret: `${user}-secret` } as const
      const issued = await tokens.issue(proof, parseScopes([scopes]) ?? [], wantsRefresh, wait)
      if (issued === undefined) throw new Error(`${user} could not sign in`)
      return issued
    },
    rotate: (isLost: boolean) =>
      rotateTokenKey(records, clock, isLost, (published) => publishKeys(bucket, published, wait), wait),
    remove: folder.remove,
  }
}
