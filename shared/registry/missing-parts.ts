// Why an image has no root: what of it is not in its repository.

import type { BucketReader, Wait } from '../ports/bucket.ts'
import type { Digest } from '../protocol/digest.ts'
import { OciError } from '../protocol/errors.ts'
import { type Manifest, parseManifest } from '../protocol/manifest.ts'
import type { RepositoryName } from '../protocol/names.ts'
import { walkLimit } from '../protocol/walk.ts'
import { findBlob } from './find-blob.ts'
import { hasManifest } from './links.ts'
import { readManifest } from './read-manifest.ts'

/** One line for each thing that is missing, or wrong; none where nothing is. */
export async function missingParts(
  bucket: BucketReader,
  name: RepositoryName,
  top: Digest,
  wait: Wait,
): Promise<string[]> {
  const faults: string[] = []
  const manifests = new Set([top])
  /** With the sizes that descriptors say. */
  const blobs = new Map<Digest, Set<number>>()
  // A set hands out what is added while it is gone through.
  for (const digest of manifests) {
    if (!(await hasManifest(bucket, name, digest, wait))) {
      faults.push(`manifest ${digest} is not in ${name}`)
      continue
    }
    const manifest = await manifestOf(bucket, digest, wait)
    if (typeof manifest === 'string') faults.push(`manifest ${digest} ${manifest}`)
    else
      for (const part of manifest.parts) {
        if (part.hasUrls) continue
        if (part.kind === 'manifest') manifests.add(part.digest)
        else blobs.set(part.digest, (blobs.get(part.digest) ?? new Set()).add(part.sizeBytes))
      }
    if (manifests.size + blobs.size > 2 * walkLimit) break
  }
  const count = new Set([...manifests, ...blobs.keys()]).size
  if (count > walkLimit) return [`it has more than ${walkLimit} parts`]
  for (const [digest, sizes] of blobs) {
    const { linked, sizeBytes } = await findBlob(bucket, name, digest, wait)
    if (!linked) faults.push(`blob ${digest} is not in ${name}`)
    else if (sizeBytes === undefined) faults.push(`the bytes of blob ${digest} are gone`)
    else if (!sizes.has(sizeBytes)) faults.push(`blob ${digest} has ${sizeBytes} bytes, not ${[...sizes].join(' or ')}`)
  }
  return faults
}

/** Or what is wrong with it. */
async function manifestOf(bucket: BucketReader, digest: Digest, wait: Wait): Promise<Manifest | string> {
  const stored = await readManifest(bucket, digest, wait)
  if (stored === undefined) return 'has lost its bytes'
  try {
    return parseManifest(stored.bytes, undefined)
  } catch (error) {
    if (error instanceof OciError) return `cannot be read: ${error.detail}`
    throw error
  }
}
