// Pulls a manifest at the origin, by tag or by digest.

import type { BucketReader, Wait } from '../ports/bucket.ts'
import { OciError } from '../protocol/errors.ts'
import type { Reference, RepositoryName } from '../protocol/names.ts'
import { hasManifest, readTag } from './links.ts'
import { readManifest, type StoredManifest } from './read-manifest.ts'

/** @throws OciError MANIFEST_UNKNOWN where the repository has no such manifest */
export async function pullManifest(
  bucket: BucketReader,
  name: RepositoryName,
  reference: Reference,
  wait: Wait,
): Promise<StoredManifest> {
  const manifest =
    reference.kind === 'tag'
      ? await byTag(bucket, name, reference, wait)
      : (await hasManifest(bucket, name, reference.digest, wait))
        ? await readManifest(bucket, reference.digest, wait)
        : undefined
  if (manifest === undefined) throw manifestUnknown(name, reference)
  return manifest
}

/** A tag link implies that the manifest belongs to the repository. */
async function byTag(bucket: BucketReader, name: RepositoryName, reference: Reference & { kind: 'tag' }, wait: Wait) {
  const digest = await readTag(bucket, name, reference.tag, wait)
  return digest === undefined ? undefined : readManifest(bucket, digest, wait)
}

export function manifestUnknown(name: RepositoryName, reference: Reference): OciError {
  const what = reference.kind === 'tag' ? `tag ${reference.tag}` : `manifest ${reference.digest}`
  return new OciError('MANIFEST_UNKNOWN', `${name} has no ${what}`)
}
