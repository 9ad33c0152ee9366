// Pulls a manifest at the origin, by tag or by digest: from the bucket or, where that does not do, from outside.

import { type AccessRules, isPublic } from '../auth/access.ts'
import type { Bucket, BucketReader, Wait } from '../ports/bucket.ts'
import type { Clock } from '../ports/clock.ts'
import type { Cid } from '../protocol/cid.ts'
import type { Digest } from '../protocol/digest.ts'
import { OciError } from '../protocol/errors.ts'
import { type ContentName, parseContentName, type Reference, type RepositoryName } from '../protocol/names.ts'
import { type ContentView, keepFetched, mayServeFromBucket, viewedManifest, type Views } from './content-view.ts'
import type { ImageFetcher } from './fetch-image.ts'
import { readRoot } from './image-record.ts'
import { hasManifest, readTag } from './links.ts'
import { DamagedManifest, readManifest, type StoredManifest } from './read-manifest.ts'

export interface PullDeps {
  readonly bucket: Bucket
  readonly clock: Clock
  readonly access: AccessRules
  readonly views: Views
  /** Undefined where there is nowhere to fetch from. */
  readonly fetcher: ImageFetcher | undefined
  /** Whether who asks may have images brought that were never seen here. */
  readonly mayFetch: boolean
}

export interface PulledManifest extends StoredManifest {
  /** Where its image is on IPFS; undefined where it is not, or not for everyone. */
  readonly root: Cid | undefined
}

/** Undefined where the repository has no such manifest. Rejects as an ImageFetcher does where it has to be fetched. */
export async function pullManifest(
  deps: PullDeps,
  name: RepositoryName,
  reference: Reference,
  wait: Wait,
): Promise<PulledManifest | undefined> {
  const { bucket, access, views } = deps
  const content = parseContentName(name)
  const view = content && (await views.find(content, wait))
  if (content && view && viewedManifest(view, content, reference) !== undefined)
    return pullFromView(deps, content, view, reference, wait)
  // A bucket that Forta's Disco wrote has content names as repositories; what they hold need not be looked for outside.
  const digest = await namedManifest(bucket, name, reference, wait)
  if (digest === undefined) {
    const obtained = view === undefined ? content && (await obtainView(deps, content, wait)) : undefined
    return content && obtained && pullFromView(deps, content, obtained, reference, wait)
  }
  const [manifest, root] = await Promise.all([
    readOrHeal(deps, digest, (fetcher) => fetchManifest(fetcher, digest, wait), wait),
    isPublic(access, name) ? readRoot(bucket, digest, wait) : undefined,
  ])
  return manifest && { ...manifest, root }
}

/** What a reference names in a repository. A tag link implies that the manifest belongs to it. */
async function namedManifest(bucket: BucketReader, name: RepositoryName, reference: Reference, wait: Wait) {
  if (reference.kind === 'tag') return readTag(bucket, name, reference.tag, wait)
  return (await hasManifest(bucket, name, reference.digest, wait)) ? reference.digest : undefined
}

async function pullFromView(
  deps: PullDeps,
  content: ContentName,
  view: ContentView,
  reference: Reference,
  wait: Wait,
): Promise<PulledManifest | undefined> {
  const digest = viewedManifest(view, content, reference)
  if (digest === undefined) return undefined
  const { fetcher } = deps
  if (!(await mayServeFromBucket(deps, view, digest, wait))) {
    if (fetcher === undefined) return undefined
    await fetcher.image(view.root, wait)
  }
  if (view.isAging) await keepFetched(deps.bucket, view, deps.clock.now(), wait)
  const manifest = await readOrHeal(deps, digest, (from) => from.image(view.root, wait), wait)
  return manifest && { ...manifest, root: view.root }
}

/** A view that is here, or that of an image which was never seen here, if the caller may ask for one. */
export async function obtainView(
  { views, mayFetch, fetcher }: PullDeps,
  content: ContentName,
  wait: Wait,
): Promise<ContentView | undefined> {
  const view = await views.find(content, wait)
  if (view !== undefined || fetcher === undefined || content.kind !== 'cid' || !mayFetch) return view
  await fetcher.image(content.root, wait)
  return views.find(content, wait)
}

/** A manifest, fetched anew where the bucket has lost or damaged it. That it is damaged is told where nobody has it. */
async function readOrHeal(
  { bucket, fetcher }: PullDeps,
  digest: Digest,
  fetch: (fetcher: ImageFetcher) => Promise<void>,
  wait: Wait,
): Promise<StoredManifest | undefined> {
  let damage: DamagedManifest | undefined
  try {
    const manifest = await readManifest(bucket, digest, wait)
    if (manifest !== undefined || fetcher === undefined) return manifest
  } catch (error) {
    if (!(error instanceof DamagedManifest) || fetcher === undefined) throw error
    damage = error
  }
  try {
    await fetch(fetcher)
  } catch (error) {
    throw error instanceof OciError ? (damage ?? error) : error
  }
  return readManifest(bucket, digest, wait)
}

/** Of a manifest that is only known by itself. */
async function fetchManifest(fetcher: ImageFetcher, digest: Digest, wait: Wait): Promise<void> {
  const { body } = await fetcher.blob({ root: undefined, digest, sizeBytes: undefined }, wait)
  // It is in the bucket when the stream has ended.
  await body.pipeTo(new WritableStream(), { signal: wait.signal })
}

export function manifestUnknown(name: RepositoryName, reference: Reference): OciError {
  const what = reference.kind === 'tag' ? `tag ${reference.tag}` : `manifest ${reference.digest}`
  return new OciError('MANIFEST_UNKNOWN', `${name} has no ${what}`)
}
