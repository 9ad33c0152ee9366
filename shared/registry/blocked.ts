// What the operator took down: marks in the bucket. What is marked is not pushed, fetched or mounted any more; its names
// are taken away by block-content.ts, so that pulls need not look here.

import pMap from 'p-map'
import * as v from 'valibot'
import { allBlockedPrefix, blockedKey, blockedPrefix, blockedRootKey } from '../layout/keys.ts'
import type { Bucket, BucketReader, Wait } from '../ports/bucket.ts'
import type { Cid } from '../protocol/cid.ts'
import { type Digest, digestFrom, parseDigest } from '../protocol/digest.ts'
import { OciError, UpstreamError } from '../protocol/errors.ts'
import { parseJson } from '../protocol/json.ts'
import { parseRootCid } from '../protocol/names.ts'

/** What can be blocked: a blob or manifest, or the root of an image, which may not be known here. */
export type Blockable =
  | { readonly kind: 'digest'; readonly digest: Digest }
  | { readonly kind: 'root'; readonly root: Cid }

export interface BlockMark {
  /** For people; goes to clients. */
  readonly reason: string | undefined
  /** ISO date. */
  readonly at: string
  /** Of a root: the manifest that was marked with it. */
  readonly manifest: Digest | undefined
}

/** What was asked for is blocked. */
export class BlockedContent extends OciError {
  readonly what: Blockable

  constructor(what: Blockable, reason: string | undefined) {
    super('DENIED', `${nameOf(what)} is blocked here${reason === undefined ? '' : `: ${reason}`}`, {
      summary: 'this content is blocked here',
    })
    this.what = what
  }
}

/** As people write it. */
export function nameOf(what: Blockable): string {
  return what.kind === 'digest' ? what.digest : what.root
}

/** Bytes; the reason is some words. */
const markLimitBytes = 16 * 1024

/** Bytes of UTF-8 in a reason. */
export const reasonLimitBytes = 1000

/** Looks into the bucket at once. */
const looksAtOnce = 32

const markSchema = v.object({
  at: v.string(),
  reason: v.optional(v.string()),
  manifest: v.optional(
    v.pipe(
      v.string(),
      v.transform((text) => parseDigest(text)),
    ),
  ),
})

export async function readMark(bucket: BucketReader, what: Blockable, wait: Wait): Promise<BlockMark | undefined> {
  const key = keyOf(what)
  const bytes = await bucket.read(key, markLimitBytes, wait)
  if (bytes === undefined) return undefined
  const result = v.safeParse(markSchema, parseJson(bytes))
  if (!result.success) throw new UpstreamError('bucket', `${key} is damaged; block it again`)
  const { at, reason, manifest } = result.output
  return { at, reason, manifest }
}

export async function writeMark(bucket: Bucket, what: Blockable, mark: BlockMark, wait: Wait): Promise<void> {
  await bucket.write(keyOf(what), new TextEncoder().encode(JSON.stringify(mark)), wait)
}

export async function removeMark(bucket: Bucket, what: Blockable, wait: Wait): Promise<void> {
  await bucket.remove(keyOf(what), wait)
}

/** Everything that is marked, in no order. */
export async function* listMarks(bucket: BucketReader, wait: Wait): AsyncIterable<Blockable> {
  for (const algorithm of ['sha256', 'sha512'] as const) {
    for await (const { path } of bucket.list(blockedPrefix(algorithm), '', wait)) {
      const digest = parseDigest(digestFrom(algorithm, lastSegment(path)))
      if (digest !== undefined) yield { kind: 'digest', digest }
    }
  }
  for await (const { path } of bucket.list(blockedPrefix('cids'), '', wait)) {
    const root = parseRootCid(lastSegment(path))
    if (root !== undefined) yield { kind: 'root', root }
  }
}

/** Rejects with BlockedContent where one of them is blocked. */
export async function refuseBlocked(bucket: BucketReader, digests: readonly Digest[], wait: Wait): Promise<void> {
  const refuse = (digest: Digest) => refuseMarked(bucket, { kind: 'digest', digest }, wait)
  const [only] = digests
  if (digests.length === 1 && only !== undefined) return refuse(only)
  // An image is made of many, and most registries block nothing: one look instead of one for each.
  if (await isAnythingBlocked(bucket, wait)) await pMap(digests, refuse, { concurrency: looksAtOnce })
}

async function isAnythingBlocked(bucket: BucketReader, wait: Wait): Promise<boolean> {
  for await (const _ of bucket.list(allBlockedPrefix, '', wait)) return true
  return false
}

/** The same for an image that may never have been here. */
export async function refuseBlockedRoot(bucket: BucketReader, root: Cid, wait: Wait): Promise<void> {
  await refuseMarked(bucket, { kind: 'root', root }, wait)
}

/** The same for either. */
export async function refuseMarked(bucket: BucketReader, what: Blockable, wait: Wait): Promise<void> {
  if ((await bucket.head(keyOf(what), wait)) === undefined) return
  const mark = await readMark(bucket, what, wait)
  if (mark !== undefined) throw new BlockedContent(what, mark.reason)
}

function keyOf(what: Blockable) {
  return what.kind === 'digest' ? blockedKey(what.digest) : blockedRootKey(what.root)
}

function lastSegment(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
