// Paging of lists. Source: OCI distribution-spec 1.1, "Listing Tags" (n, last) and RFC 8288 (Link).

import { OciError } from './errors.ts'

export interface PageRequest {
  /** At most so many entries; undefined: the server's own page size. */
  readonly limit: number | undefined
  /** Only entries that sort after this one, bytewise; it need not exist. */
  readonly after: string | undefined
}

/** Reads `n` and `last`. A malformed `n` is refused: guessing a page size would hide the client's mistake. */
export function parsePageRequest(query: URLSearchParams): PageRequest {
  const n = query.get('n')
  if (n !== null && !/^\d{1,9}$/.test(n)) {
    throw new OciError('UNSUPPORTED', `n must be a whole number of entries, not ${JSON.stringify(n)}`, { status: 400 })
  }
  return { limit: n === null ? undefined : Number(n), after: query.get('last') ?? undefined }
}

/** The `Link` header that points to the page after `last`. */
export function nextPageLink(path: string, limit: number, last: string): string {
  const query = new URLSearchParams({ n: String(limit), last })
  return `<${path}?${query}>; rel="next"`
}
