// Whether edges are told what this configuration says: rules, and the keys that they know tokens by.

import type { AccessDocument } from '../../shared/auth/access-document.ts'
import { haveSameRules, parseAccessDocument, readAccessBytes } from '../../shared/auth/access-document.ts'
import { isInUse, type PublicKey } from '../../shared/auth/public-key.ts'
import { accessKey } from '../../shared/layout/keys.ts'
import type { BucketReader, Wait } from '../../shared/ports/bucket.ts'
import type { Clock } from '../../shared/ports/clock.ts'
import type { Check } from './check.ts'

export interface AccessProbes {
  readonly reader: BucketReader
  readonly clock: Clock
  /** What an origin of this configuration publishes; without its keys. */
  readonly document: AccessDocument
  /** The public half of the key that signs here, or why there is none to compare. */
  readonly signingKey: PublicKey | { readonly missing: string }
}

export function accessChecks({ reader, clock, document, signingKey }: AccessProbes): readonly Check[] {
  const published = async (wait: Wait) => {
    const bytes = await readAccessBytes(reader, wait)
    return bytes && parseAccessDocument(bytes)
  }
  return [
    {
      name: 'access-rules',
      why: 'edges decide by these rules alone: without them they answer 503, and with others they let in, or keep out, the wrong people',
      mend: 'restart the origin with this configuration, without access.read_only; edges follow within a minute',
      needs: ['bucket'],
      async run(wait) {
        const there = await published(wait)
        if (there === undefined) return { fault: `${accessKey} is not in the bucket` }
        if (!haveSameRules(there, document))
          return { fault: `${accessKey} in the bucket says something else than this configuration` }
        return { ok: 'as this configuration has them' }
      },
    },
    {
      name: 'token-keys',
      why: 'edges refuse whoever signed in at the origin: they do not know the key that signed',
      mend: 'see that only one service writes to this bucket and that all its origins share their accounts, then restart the origin',
      needs: ['bucket'],
      follows: ['access-rules'],
      async run(wait) {
        if ('missing' in signingKey) return { skipped: signingKey.missing }
        const there = await published(wait)
        const { kid, x, y } = signingKey
        const found = there?.keys.find((key) => key.kid === kid && key.x === x && key.y === y)
        if (found === undefined) return { fault: `the key ${kid} that signs here is not among those in ${accessKey}` }
        if (!isInUse(found, clock.now())) return { fault: `${accessKey} says that the key ${kid} is out of use` }
        return { ok: `the key ${kid} is known to edges` }
      },
    },
  ]
}
