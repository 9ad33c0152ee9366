// Pulls a blob at the origin: says where it is to be had from, the bucket or outside.

import type { Wait } from '../ports/bucket.ts'
import type { Digest } from '../protocol/digest.ts'
import { parseContentName, type RepositoryName } from '../protocol/names.ts'
import { viewedBlob } from './content-view.ts'
import type { WantedBlob } from './fetch-blob.ts'
import { findBlobUnder } from './find-blob.ts'
import { obtainView, type PullDeps } from './pull-manifest.ts'

export type LocatedBlob =
  | { readonly from: 'bucket'; readonly sizeBytes: number }
  | { readonly from: 'outside'; readonly wanted: WantedBlob }

/**
 * Where a blob is; undefined where there is none. Fetches nothing of the blob itself, as a HEAD wants none, but perhaps
 * the manifests of an image that was never seen here, and rejects as an ImageFetcher does where they do not come.
 */
export async function locateBlob(
  deps: PullDeps,
  name: RepositoryName,
  digest: Digest,
  wait: Wait,
): Promise<LocatedBlob | undefined> {
  const found = await findBlobUnder(deps, name, digest, wait)
  if (found.linked && found.sizeBytes !== undefined) return { from: 'bucket', sizeBytes: found.sizeBytes }
  const content = parseContentName(name)
  const view = content && (await obtainView(deps, content, wait))
  // Its manifests may have come just now.
  const { linked, sizeBytes } = view === undefined ? found : await findBlobUnder(deps, name, digest, wait)
  if (linked && sizeBytes !== undefined) return { from: 'bucket', sizeBytes }
  if (view !== undefined) {
    const blob = viewedBlob(view, digest)
    return blob && { from: 'outside', wanted: { root: view.root, digest, sizeBytes: blob.sizeBytes } }
  }
  return linked ? { from: 'outside', wanted: { root: undefined, digest, sizeBytes: undefined } } : undefined
}
