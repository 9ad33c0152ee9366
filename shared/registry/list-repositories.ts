// The catalog: the names of all repositories that hold a manifest and that the caller may pull from. Not in the OCI spec; Docker's registry API has it.

import { type KeyPrefix, parseManifestsFolder, repositoriesPrefix } from '../layout/keys.ts'
import type { BucketReader, Wait } from '../ports/bucket.ts'
import { isContentName, type RepositoryName } from '../protocol/names.ts'
import type { PageRequest } from '../protocol/paging.ts'
import { type Page, pageOf } from './page.ts'

export async function listRepositories(
  bucket: BucketReader,
  mayPull: (name: RepositoryName) => boolean,
  asked: PageRequest,
  wait: Wait,
): Promise<Page<RepositoryName>> {
  const names: RepositoryName[] = []
  for await (const name of allRepositories(bucket, wait)) {
    if (!isContentName(name) && mayPull(name)) names.push(name)
  }
  return pageOf(names, asked)
}

/** Every repository, whoever may pull it. */
export function allRepositories(bucket: BucketReader, wait: Wait): AsyncIterable<RepositoryName> {
  return repositoriesUnder(bucket, repositoriesPrefix, wait)
}

/** Every repository in a folder and below it: one listing a folder. */
async function* repositoriesUnder(bucket: BucketReader, prefix: KeyPrefix, wait: Wait): AsyncIterable<RepositoryName> {
  for await (const { path, kind } of bucket.list(prefix, '', wait)) {
    if (kind !== 'folder') continue
    const name = parseManifestsFolder(path)
    if (name !== undefined) yield name
    // What begins with an underscore is a repository's own; no component of a name does.
    else if (!path.slice(prefix.length).startsWith('_')) yield* repositoriesUnder(bucket, path as KeyPrefix, wait)
  }
}
