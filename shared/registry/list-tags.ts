// Lists a repository's tags from the bucket alone.

import { type KeyPrefix, parseTagFolder, tagsPrefix } from '../layout/keys.ts'
import type { BucketReader, Wait } from '../ports/bucket.ts'
import { OciError } from '../protocol/errors.ts'
import type { RepositoryName, Tag } from '../protocol/names.ts'
import type { PageRequest } from '../protocol/paging.ts'

/** Entries; a longer list comes in pages also where the client asked for no limit. */
export const tagPageLimit = 10_000

export interface TagPage {
  readonly tags: readonly Tag[]
  /** Whether there are tags after these. */
  readonly more: boolean
}

/**
 * One page of tags, sorted bytewise (OCI distribution-spec, "Listing Tags").
 *
 * A bucket lists folders in the order of their keys, with the closing slash, and `1.0-alpine/` sorts before `1.0/`.
 * So everything behind `after` is read and sorted here; starting the listing at `after` is safe, because a tag that
 * sorts after another also does so with the slash behind it.
 * @throws OciError NAME_UNKNOWN where nothing was ever pushed under this name
 */
export async function listTags(
  bucket: BucketReader,
  name: RepositoryName,
  page: PageRequest,
  wait: Wait,
): Promise<TagPage> {
  const prefix = tagsPrefix(name)
  const after = page.after
  const tags: Tag[] = []
  for await (const { path } of bucket.list(prefix, after === undefined ? '' : `${prefix}${after}`, wait)) {
    const tag = parseTagFolder(name, path)
    if (tag !== undefined && (after === undefined || tag > after)) tags.push(tag)
  }
  if (tags.length === 0 && !(await isKnown(bucket, name, wait))) {
    throw new OciError('NAME_UNKNOWN', `nothing was pushed to ${name}`)
  }
  tags.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  const limit = Math.min(page.limit ?? tagPageLimit, tagPageLimit)
  // With n=0 there is no last tag to go on from, and the spec wants no Link.
  return { tags: tags.slice(0, limit), more: limit > 0 && tags.length > limit }
}

/** Whether the repository holds any manifest, tagged or not. */
async function isKnown(bucket: BucketReader, name: RepositoryName, wait: Wait): Promise<boolean> {
  const manifests = tagsPrefix(name).slice(0, -'tags/'.length) as KeyPrefix
  for await (const _ of bucket.list(manifests, '', wait)) return true
  return false
}
