// Lists a repository's tags from the bucket alone. Source: OCI distribution-spec 1.1, "Listing Tags".

import { type KeyPrefix, parseTagFolder, tagsPrefix } from '../layout/keys.ts'
import type { BucketReader, Wait } from '../ports/bucket.ts'
import { OciError } from '../protocol/errors.ts'
import type { RepositoryName, Tag } from '../protocol/names.ts'
import type { PageRequest } from '../protocol/paging.ts'
import { type Page, pageOf } from './page.ts'

/** @throws OciError NAME_UNKNOWN where the repository holds no manifest */
export async function listTags(
  bucket: BucketReader,
  name: RepositoryName,
  asked: PageRequest,
  wait: Wait,
): Promise<Page<Tag>> {
  const tags = await tagsAfter(bucket, name, asked.after, wait)
  if (tags.length === 0 && !(await isKnown(bucket, name, wait))) {
    throw new OciError('NAME_UNKNOWN', `${name} holds nothing`)
  }
  return pageOf(tags, asked)
}

/**
 * The tags that sort after one, unsorted. Beginning the listing there is safe: what sorts after a tag also does so with
 * the slash of its folder behind it.
 */
export async function tagsAfter(
  bucket: BucketReader,
  name: RepositoryName,
  after: string | undefined,
  wait: Wait,
): Promise<Tag[]> {
  const prefix = tagsPrefix(name)
  const tags: Tag[] = []
  for await (const { path } of bucket.list(prefix, after === undefined ? '' : `${prefix}${after}`, wait)) {
    const tag = parseTagFolder(name, path)
    if (tag !== undefined) tags.push(tag)
  }
  return tags
}

/** Whether the repository holds any manifest, tagged or not. */
async function isKnown(bucket: BucketReader, name: RepositoryName, wait: Wait): Promise<boolean> {
  const manifests = tagsPrefix(name).slice(0, -'tags/'.length) as KeyPrefix
  for await (const _ of bucket.list(manifests, '', wait)) return true
  return false
}
