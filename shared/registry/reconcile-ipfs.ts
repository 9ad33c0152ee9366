// Brings IPFS in line with what is in the bucket and who may pull it: images that have no root get one, public ones are
// put on IPFS, and what is no longer public is taken off. May run at any time, beside pushes and deletes.

import { type AccessRules, isPublic } from '../auth/access.ts'
import { revisionsPrefix, viewKey } from '../layout/keys.ts'
import type { Bucket, BucketReader, Wait } from '../ports/bucket.ts'
import type { ContentStore } from '../ports/content-store.ts'
import type { Cid } from '../protocol/cid.ts'
import { type Digest, digestFrom, parseDigest } from '../protocol/digest.ts'
import { UpstreamError } from '../protocol/errors.ts'
import type { RepositoryName } from '../protocol/names.ts'
import { holdersOf } from './content-view.ts'
import { readImageRecord, readRoot } from './image-record.ts'
import { allRepositories } from './list-repositories.ts'
import { type Publisher, rootOf } from './publish-image.ts'

export interface ReconcileDeps {
  readonly bucket: Bucket
  readonly access: AccessRules
  readonly publisher: Publisher
  /** Where copies of public images are kept; undefined where IPFS reads the bucket itself. */
  readonly copies: ContentStore | undefined
  readonly onProgress: (done: Reconciled) => void
  /** An image whose objects in the bucket are damaged; it is left as it is. */
  readonly onFault: (name: RepositoryName, digest: Digest, error: UpstreamError) => void
}

/** Images; one in several repositories counts once for each. */
export interface Reconciled {
  readonly repositories: number
  /** That were looked at. */
  readonly images: number
  /** That have a root now, or are on IPFS now, and had not or were not. */
  readonly published: number
  /** That can have no root: missing-parts.ts says why. */
  readonly rootless: number
  /** That were taken off IPFS. */
  readonly withdrawn: number
  readonly faults: number
}

/**
 * @param only one repository; undefined: all
 * Rejects with UpstreamError('ipfs') where IPFS does not answer; what was done stays, and doing it again goes on.
 */
export async function reconcileIpfs(
  deps: ReconcileDeps,
  only: RepositoryName | undefined,
  wait: Wait,
): Promise<Reconciled> {
  const { bucket, copies, publisher, onProgress } = deps
  const done = { repositories: 0, images: 0, published: 0, rootless: 0, withdrawn: 0, faults: 0 }
  const kept = new Set<Cid>()
  for await (const root of copies?.published(wait) ?? []) kept.add(root)

  /** Gives an image what it lacks. */
  async function settle(name: RepositoryName, digest: Digest): Promise<'settled' | 'published' | 'rootless'> {
    const root = await readRoot(bucket, digest, wait)
    const isKnown = root !== undefined && (await bucket.head(viewKey(digest, name), wait)) !== undefined
    const isMissing = copies !== undefined && root !== undefined && isPublic(deps.access, name) && !kept.has(root)
    if (isKnown && !isMissing) return 'settled'
    if (isKnown && copies !== undefined && (await republished(bucket, copies, root, wait))) {
      kept.add(root)
      return 'published'
    }
    const made = await publisher.publish(name, digest, wait)
    if (made === undefined) return 'rootless'
    kept.add(made)
    return 'published'
  }

  const candidates = new Map<Cid, Digest>()
  for await (const name of only === undefined ? allRepositories(bucket, wait) : [only]) {
    for await (const digest of manifestsIn(bucket, name, wait)) {
      wait.signal.throwIfAborted()
      try {
        const outcome = await settle(name, digest)
        if (outcome !== 'settled') done[outcome] += 1
        const root = only === undefined ? undefined : await readRoot(bucket, digest, wait)
        if (root !== undefined && kept.has(root)) candidates.set(root, digest)
      } catch (error) {
        wait.signal.throwIfAborted()
        if (!(error instanceof UpstreamError) || error.source === 'ipfs') throw error
        done.faults += 1
        deps.onFault(name, digest, error)
      }
      done.images += 1
      onProgress(done)
    }
    done.repositories += 1
    onProgress(done)
  }

  if (copies === undefined) return done
  if (only === undefined) {
    for (const root of kept) {
      const record = await readImageRecord(bucket, root, wait)
      // What has no record is not ours to judge.
      if (record !== undefined) candidates.set(root, record.digest)
    }
  }
  for (const [root, digest] of candidates) {
    if (await takenOff(deps, copies, root, digest, wait)) done.withdrawn += 1
    onProgress(done)
  }
  return done
}

/** Every manifest of a repository, tagged or not. */
async function* manifestsIn(bucket: BucketReader, name: RepositoryName, wait: Wait): AsyncIterable<Digest> {
  for (const algorithm of ['sha256', 'sha512'] as const) {
    const prefix = revisionsPrefix(name, algorithm)
    for await (const { path } of bucket.list(prefix, '', wait)) {
      const digest = parseDigest(digestFrom(algorithm, path.slice(prefix.length, -1)))
      if (digest !== undefined) yield digest
    }
  }
}

/**
 * Takes an image off IPFS where no public repository holds it, and says whether it did. A push writes the view first and
 * looks then whether IPFS keeps the image; here it is the other way round, so that one of both sees the other.
 */
async function takenOff(
  { bucket, access }: ReconcileDeps,
  copies: ContentStore,
  root: Cid,
  digest: Digest,
  wait: Wait,
): Promise<boolean> {
  if ((await publicHolder(bucket, access, digest, wait)) !== undefined) return false
  await copies.unpublish(root, wait)
  const holder = await publicHolder(bucket, access, digest, wait)
  if (holder === undefined) return true
  await republished(bucket, copies, root, wait)
  return false
}

/** Whether an image that has a root and a view could be put on IPFS, by its record: it is public as it is. */
async function republished(bucket: Bucket, copies: ContentStore, root: Cid, wait: Wait): Promise<boolean> {
  const record = await readImageRecord(bucket, root, wait)
  const made = record && (await rootOf(bucket, record, wait))
  // A root that others made is not ours to make.
  if (made?.root.cid !== root) return false
  await copies.publish({ root, blocks: made.root.blocks, files: made.files }, wait)
  return true
}

/** Whether its link is there does not matter: a push may be about to write it. */
async function publicHolder(bucket: BucketReader, access: AccessRules, digest: Digest, wait: Wait) {
  for await (const name of holdersOf(bucket, digest, wait)) if (isPublic(access, name)) return name
  return undefined
}
