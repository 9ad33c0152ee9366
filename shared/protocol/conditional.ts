// Conditional requests on content that a digest names. Source: RFC 9110 section 13.

import type { Digest } from './digest.ts'

/** The strong entity tag of the bytes that have this digest. */
export function etagOf(digest: Digest): string {
  return `"${digest}"`
}

/** Whether `If-None-Match` already names these bytes (weak comparison, RFC 9110 section 13.1.2): then 304. */
export function noneMatch(header: string | undefined, digest: Digest): boolean {
  if (header === undefined) return false
  return header.split(',').some((candidate) => {
    const tag = candidate.trim()
    return tag === '*' || tag.replace(/^W\//, '') === etagOf(digest)
  })
}

/** Whether a `Range` still applies under this `If-Range` (strong comparison, RFC 9110 section 13.1.5). */
export function ifRangeHolds(header: string | undefined, digest: Digest): boolean {
  return header === undefined || header.trim() === etagOf(digest)
}
