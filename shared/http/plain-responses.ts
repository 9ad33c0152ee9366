// Answers without stored content that origin and edge give alike.

import { nextPageLink, type PageRequest } from '../protocol/paging.ts'
import type { RepositoryName } from '../protocol/names.ts'
import { tagPageLimit, type TagPage } from '../registry/list-tags.ts'

/** A small JSON document; HEAD gets its length without it. */
function jsonResponse(method: string, document: unknown, headers: Record<string, string>): Response {
  const body = new TextEncoder().encode(JSON.stringify(document))
  return new Response(method === 'HEAD' ? null : body, {
    headers: { 'Content-Type': 'application/json', 'Content-Length': String(body.byteLength), ...headers },
  })
}

/** The answer to `/v2/`: this is a registry, and you may use it. */
export function versionResponse(method: string): Response {
  return jsonResponse(method, {}, { 'Cache-Control': 'no-store' })
}

export function tagsResponse(method: string, name: RepositoryName, page: TagPage, asked: PageRequest): Response {
  const headers: Record<string, string> = { 'Cache-Control': 'private, no-cache' }
  const last = page.tags.at(-1)
  if (page.more && last !== undefined) {
    headers['Link'] = nextPageLink(`/v2/${name}/tags/list`, asked.limit ?? tagPageLimit, last)
  }
  return jsonResponse(method, { name, tags: page.tags }, headers)
}
