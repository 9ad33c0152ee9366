// Pulls a manifest at the origin, by tag or by digest.

import { type AccessRules, isPublic } from '../auth/access.ts'
import type { BucketReader, Wait } from '../ports/bucket.ts'
import type { Cid } from '../protocol/cid.ts'
import { OciError } from '../protocol/errors.ts'
import { parseContentName, type Reference, type RepositoryName } from '../protocol/names.ts'
import { mayServeFromBucket, viewedManifest, type Views } from './content-view.ts'
import { readRoot } from './image-record.ts'
import { hasManifest, readTag } from './links.ts'
import { readManifest, type StoredManifest } from './read-manifest.ts'

export interface PullDeps {
  readonly bucket: BucketReader
  readonly access: AccessRules
  readonly views: Views
}

export interface PulledManifest extends StoredManifest {
  /** Where its image is on IPFS; undefined where it is not, or not for everyone. */
  readonly root: Cid | undefined
}

/** Undefined where the repository has no such manifest. */
export async function pullManifest(
  deps: PullDeps,
  name: RepositoryName,
  reference: Reference,
  wait: Wait,
): Promise<PulledManifest | undefined> {
  const content = parseContentName(name)
  const view = content && (await deps.views.find(content, wait))
  const { bucket, access } = deps
  if (content && view) {
    const digest = viewedManifest(view, content, reference)
    if (digest === undefined || !(await mayServeFromBucket(deps, view, digest, wait))) return undefined
    const manifest = await readManifest(bucket, digest, wait)
    return manifest && { ...manifest, root: view.root }
  }
  const digest = reference.kind === 'tag' ? await readTag(bucket, name, reference.tag, wait) : reference.digest
  // A tag link implies that the manifest belongs to the repository.
  if (digest === undefined || (reference.kind === 'digest' && !(await hasManifest(bucket, name, digest, wait))))
    return undefined
  const [manifest, root] = await Promise.all([
    readManifest(bucket, digest, wait),
    isPublic(access, name) ? readRoot(bucket, digest, wait) : undefined,
  ])
  return manifest && { ...manifest, root }
}

export function manifestUnknown(name: RepositoryName, reference: Reference): OciError {
  const what = reference.kind === 'tag' ? `tag ${reference.tag}` : `manifest ${reference.digest}`
  return new OciError('MANIFEST_UNKNOWN', `${name} has no ${what}`)
}
