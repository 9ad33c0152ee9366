// A client of the registry that the checks make requests as: anonymous where that is enough, else with a token of the key
// that signs here, for one repository.

import { type AccessRules, rightsIn } from '../../shared/auth/access.ts'
import type { TokenSigner } from '../../shared/auth/token.ts'
import type { Random } from '../../shared/ports/random.ts'
import type { RepositoryName } from '../../shared/protocol/names.ts'

export interface Visitor {
  /** Headers of a request that may do it; undefined where nobody of that name may. */
  headersFor(name: RepositoryName, right: 'pull' | 'push'): Promise<Readonly<Record<string, string>> | undefined>
}

/** Who the token is for. */
const user = 'mirrorball-doctor'

/** @param signer undefined: there are no tokens, or there is no key to make one */
export function createVisitor(rules: AccessRules, signer: TokenSigner | undefined, random: Random): Visitor {
  return {
    async headersFor(name, right) {
      if (rightsIn(rules, undefined, name).has(right)) return {}
      if (signer === undefined) return undefined
      // An upload ends where its owner has no right to push by the rules.
      if (right === 'push' && !rightsIn(rules, user, name).has('push')) return undefined
      const granted = right === 'push' ? (['pull', 'push'] as const) : (['pull'] as const)
      const access = [{ name, granted, refused: [] }]
      return { Authorization: `Bearer ${await signer.access({ user, access, catalog: undefined }, random.uuid())}` }
    },
  }
}
