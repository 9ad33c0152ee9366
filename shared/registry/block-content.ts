// Takes content down, and lets it back. Taking down is a mark, and then every name that leads to it is removed: tags,
// links, views, and on IPFS the images that it is part of. The bytes stay until garbage collection.

import { fetchedKey, imagesPrefix, layerLinkKey } from '../layout/keys.ts'
import type { Bucket, Wait } from '../ports/bucket.ts'
import type { Clock } from '../ports/clock.ts'
import type { ContentStore } from '../ports/content-store.ts'
import type { Cid } from '../protocol/cid.ts'
import type { Digest } from '../protocol/digest.ts'
import { UpstreamError } from '../protocol/errors.ts'
import { parseRootCid } from '../protocol/names.ts'
import { type Blockable, listMarks, nameOf, readMark, removeMark, writeMark } from './blocked.ts'
import { removeFromViews } from './content-view.ts'
import { removeManifest } from './delete.ts'
import { readImageRecord, readRoot } from './image-record.ts'
import { hasBlob, hasManifest } from './links.ts'
import { allRepositories } from './list-repositories.ts'

export interface BlockDeps {
  readonly bucket: Bucket
  /** Where public images are kept. */
  readonly store: ContentStore
  readonly clock: Clock
  /** Told of what was looked through so far. */
  readonly onProgress: (looked: { readonly repositories: number; readonly images: number }) => void
}

/** What blocking took away. */
export interface Blocked {
  /** What is marked: of an image that is known, its manifest and its root. */
  readonly marked: readonly Blockable[]
  /** Repositories that had it. */
  readonly repositories: number
  /** Images on IPFS that it was part of, itself included: none of them has a content name now. */
  readonly images: number
}

/**
 * Takes content down. May be called again: it finishes what broke off, and removes names that others wrote since.
 * @param reason for clients
 */
export async function blockContent(
  deps: BlockDeps,
  what: Blockable,
  reason: string | undefined,
  wait: Wait,
): Promise<Blocked> {
  const { bucket, clock } = deps
  const marked = await everyNameOf(bucket, what, wait)
  const manifest = marked.find((each) => each.kind === 'digest')?.digest
  // Marked before anything is looked through: what is pushed meanwhile is taken back by who pushes it.
  for (const each of marked)
    await writeMark(bucket, each, { reason, at: new Date(clock.now()).toISOString(), manifest }, wait)
  if (manifest === undefined) return { marked, repositories: 0, images: 0 }
  const repositories = await takeNamesAway(deps, manifest, wait)
  const images = await takeImagesAway(deps, manifest, repositories, wait)
  return { marked, repositories, images }
}

/** Lets content back; it has to be pushed again. Returns what is no longer marked. */
export async function unblockContent(bucket: Bucket, what: Blockable, wait: Wait): Promise<readonly Blockable[]> {
  const mark = await readMark(bucket, what, wait)
  const manifest = what.kind === 'digest' ? what.digest : mark?.manifest
  const removed: Blockable[] = []
  for await (const each of listMarks(bucket, wait)) {
    const asked = each.kind === what.kind && nameOf(each) === nameOf(what)
    const belongs =
      manifest !== undefined &&
      (each.kind === 'digest' ? each.digest === manifest : (await readMark(bucket, each, wait))?.manifest === manifest)
    if (!asked && !belongs) continue
    await removeMark(bucket, each, wait)
    removed.push(each)
  }
  return removed
}

/** An image under its root and its digest, as far as they are known. */
async function everyNameOf(bucket: Bucket, what: Blockable, wait: Wait): Promise<Blockable[]> {
  const record = what.kind === 'root' ? await readImageRecord(bucket, what.root, wait) : undefined
  const digest = what.kind === 'digest' ? what.digest : record?.digest
  const root = digest === undefined ? undefined : await readRoot(bucket, digest, wait)
  const names: Blockable[] = digest === undefined ? [] : [{ kind: 'digest', digest }]
  const roots = new Set([what.kind === 'root' ? what.root : undefined, root])
  for (const each of roots) if (each !== undefined) names.push({ kind: 'root', root: each })
  return names
}

/** In every repository, tags first. Returns how many had it. */
async function takeNamesAway({ bucket, onProgress }: BlockDeps, digest: Digest, wait: Wait): Promise<number> {
  let [had, repositories] = [0, 0]
  for await (const name of allRepositories(bucket, wait)) {
    const [asManifest, asBlob] = await Promise.all([
      hasManifest(bucket, name, digest, wait),
      hasBlob(bucket, name, digest, wait),
    ])
    if (asManifest) await removeManifest(bucket, name, digest, wait)
    if (asBlob) await bucket.remove(layerLinkKey(name, digest), wait)
    if (asManifest || asBlob) had += 1
    repositories += 1
    onProgress({ repositories, images: 0 })
  }
  await bucket.remove(fetchedKey(digest), wait)
  return had
}

/** Every image that has the digest loses its views and its place on IPFS. Returns how many there were. */
async function takeImagesAway(
  { bucket, store, onProgress }: BlockDeps,
  digest: Digest,
  repositories: number,
  wait: Wait,
): Promise<number> {
  const kept: Cid[] = []
  let images = 0
  for await (const { path } of bucket.list(imagesPrefix, '', wait)) {
    const root = parseRootCid(path.slice(imagesPrefix.length))
    const record = root && (await recordOf(bucket, root, wait))
    images += 1
    onProgress({ repositories, images })
    if (root === undefined || !record?.walk.some((each) => each.digest === digest)) continue
    await removeFromViews(bucket, record.digest, wait)
    await bucket.remove(fetchedKey(record.digest), wait)
    kept.push(root)
  }
  // Last: whatever becomes of this, the registry gives it to nobody by now.
  for (const root of kept) await store.unpublish(root, wait)
  return kept.length
}

/** A damaged record leads nowhere. */
async function recordOf(bucket: Bucket, root: Cid, wait: Wait) {
  try {
    return await readImageRecord(bucket, root, wait)
  } catch (error) {
    wait.signal.throwIfAborted()
    if (error instanceof UpstreamError) return undefined
    throw error
  }
}
