// What somebody may be allowed to do in a repository.

/** `fetch` is to have images brought here, by CIDs that were never seen. `push` includes `pull`. */
export const rights = ['pull', 'push', 'delete', 'fetch'] as const

export type Right = (typeof rights)[number]
