// One page of a sorted list of names.

import type { PageRequest } from '../protocol/paging.ts'

export interface Page<Name extends string> {
  readonly entries: readonly Name[]
  /** Whether there are entries after these. */
  readonly more: boolean
}

/** Entries; a longer list comes in pages also where the client asked for no limit. */
export const pageLimit = 10_000

/**
 * The names asked for, sorted bytewise. Buckets list folders in the order of their keys, with the closing slash, where
 * `1.0-alpine/` comes before `1.0/`: so the names are sorted again here, and all behind `after` have to be at hand.
 */
export function pageOf<Name extends string>(names: readonly Name[], { limit, after }: PageRequest): Page<Name> {
  const sorted = names
    .filter((name) => after === undefined || name > after)
    .sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  const most = Math.min(limit ?? pageLimit, pageLimit)
  // With n=0 there is no last entry to go on from, and the spec wants no Link.
  return { entries: sorted.slice(0, most), more: most > 0 && sorted.length > most }
}
