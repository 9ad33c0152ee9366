// Lists: tags, the catalog, referrers.

import type { AccessRules } from '../auth/access.ts'
import { type Caller, mayList } from '../auth/caller.ts'
import { nextPageLink, type PageRequest, parsePageRequest } from '../protocol/paging.ts'
import { ociIndex } from '../protocol/manifest.ts'
import { parseContentName, type RepositoryName, type Tag } from '../protocol/names.ts'
import { tagsOfView, type Views } from '../registry/content-view.ts'
import { type Page, pageLimit, pageOf } from '../registry/page.ts'
import { listReferrers, type ReferrerPage } from '../registry/referrers.ts'
import { listRepositories } from '../registry/list-repositories.ts'
import { listTags } from '../registry/list-tags.ts'
import type { Answer } from './answer.ts'
import { jsonAnswer } from './json-answer.ts'
import type { BucketReader, Wait } from '../ports/bucket.ts'
import type { RouteOf } from './routes.ts'

export interface ListDeps {
  readonly bucket: BucketReader
  readonly views: Views
  readonly access: AccessRules
  readonly caller: Caller
}

/** The answer to a list, the same at origin and edge: the bucket alone has it. */
export async function listAnswer(
  { bucket, views, access, caller }: ListDeps,
  method: string,
  route: RouteOf<'tags' | 'referrers' | 'catalog'>,
  query: URLSearchParams,
  wait: Wait,
): Promise<Answer> {
  switch (route.kind) {
    case 'tags': {
      const asked = parsePageRequest(query)
      const content = parseContentName(route.name)
      const view = content && (await views.find(content, wait))
      const page =
        content && view ? pageOf(tagsOfView(view, content), asked) : await listTags(bucket, route.name, asked, wait)
      return tagsAnswer(method, route.name, page, asked)
    }
    case 'catalog': {
      const asked = parsePageRequest(query)
      const isListed = (name: RepositoryName) => mayList(access, caller, name)
      return catalogAnswer(method, await listRepositories(bucket, isListed, asked, wait), asked)
    }
    case 'referrers': {
      const ask = { artifactType: query.get('artifactType') ?? undefined, after: query.get('last') ?? undefined }
      return referrersAnswer(method, route, await listReferrers(bucket, route.name, route.subject, ask, wait), query)
    }
  }
}

function tagsAnswer(method: string, name: RepositoryName, page: Page<Tag>, asked: PageRequest): Answer {
  return jsonAnswer(method, { name, tags: page.entries }, listHeaders(`/v2/${name}/tags/list`, page, asked))
}

function catalogAnswer(method: string, page: Page<RepositoryName>, asked: PageRequest): Answer {
  return jsonAnswer(method, { repositories: page.entries }, listHeaders('/v2/_catalog', page, asked))
}

function listHeaders(path: string, page: Page<string>, asked: PageRequest): Record<string, string> {
  const last = page.entries.at(-1)
  const next = page.more && last !== undefined ? { Link: nextPageLink(path, asked.limit ?? pageLimit, last) } : {}
  return { 'Cache-Control': 'private, no-cache', ...next }
}

/** An image index of the referrers. @param query of the request, for the filter that was applied and the next page */
function referrersAnswer(
  method: string,
  route: RouteOf<'referrers'>,
  page: ReferrerPage,
  query: URLSearchParams,
): Answer {
  const headers: Record<string, string> = { 'Cache-Control': 'private, no-cache', 'Content-Type': ociIndex }
  const artifactType = query.get('artifactType')
  if (artifactType !== null) headers['OCI-Filters-Applied'] = 'artifactType'
  if (page.next !== undefined) {
    const next = new URLSearchParams({ ...(artifactType === null ? {} : { artifactType }), last: page.next })
    headers['Link'] = `</v2/${route.name}/referrers/${route.subject}?${next}>; rel="next"`
  }
  return jsonAnswer(method, { schemaVersion: 2, mediaType: ociIndex, manifests: page.descriptors }, headers)
}
