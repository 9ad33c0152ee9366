// What there is to be allowed in a repository.

import type { Right } from '../ports/accounts.ts'

export type { Right }

export const rights = ['pull', 'push', 'delete', 'fetch'] as const satisfies readonly Right[]
