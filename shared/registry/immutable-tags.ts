// Tags that stay what they are (access.immutable_tags): once there, they are neither moved nor deleted by clients.
//
// Looking and writing take turns within one process, so of two first pushes of such a tag one is refused before it wrote
// anything. Between two processes (two origins, or `mirrorball import` beside one) the bucket decides, as the tag is
// created and not written: who comes second is refused too, and leaves at most a manifest without that tag. A delete of a
// manifest does not see the tag that another process is about to give it. Who takes content down (block-content.ts) takes
// these tags down too.

import pMap from 'p-map'
import { mayMatchTagsOf, matchesTagPattern } from '../auth/tag-pattern.ts'
import { linkContent, tagLinkKey } from '../layout/keys.ts'
import type { Bucket, BucketReader, Wait } from '../ports/bucket.ts'
import { unhurried } from '../concurrency/unhurried.ts'
import type { Digest } from '../protocol/digest.ts'
import { OciError, UpstreamError } from '../protocol/errors.ts'
import type { RepositoryName, Tag } from '../protocol/names.ts'
import { readTag } from './links.ts'
import { tagsAfter } from './list-tags.ts'
import { createTurns } from '../concurrency/turns.ts'

/** Reads of the bucket at once. */
const readsAtOnce = 32

/** Tags that are to name a manifest. */
export interface TagsToSet {
  readonly name: RepositoryName
  readonly tags: ReadonlySet<Tag>
  readonly digest: Digest
}

/** Has a tag name the manifest that is being set. */
export type SetTag = (tag: Tag) => Promise<void>

/** Every method rejects with OciError DENIED where an immutable tag would be lost. */
export interface ImmutableTags {
  /** Looks only: for those who find out early. */
  refuseMove(bucket: BucketReader, move: TagsToSet, wait: Wait): Promise<void>
  /** @param write is given how to set each of the tags */
  whileSetting<Result>(
    bucket: Bucket,
    move: TagsToSet,
    wait: Wait,
    write: (setTag: SetTag) => Promise<Result>,
  ): Promise<Result>
  /** Of a tag that is there. @throws OciError DENIED */
  refuseDelete(name: RepositoryName, tag: Tag): void
  /** @param remove takes a manifest and its tags away, with the wait that it is given */
  whileDeleting<Result>(
    bucket: BucketReader,
    name: RepositoryName,
    digest: Digest,
    wait: Wait,
    remove: (removeWait: Wait) => Promise<Result>,
  ): Promise<Result>
}

/** @param patterns as shared/auth/tag-pattern.ts reads them. One for all that writes in a process: see above. */
export function createImmutableTags(patterns: readonly string[]): ImmutableTags {
  const turns = createTurns()
  const isImmutable = (name: RepositoryName, tag: Tag) =>
    patterns.some((pattern) => matchesTagPattern(pattern, name, tag))
  const immutableOf = ({ name, tags }: TagsToSet) => [...tags].filter((tag) => isImmutable(name, tag))

  const refuseOther = ({ name, digest }: TagsToSet, tag: Tag, named: Digest) => {
    if (named !== digest)
      throw denied(`${name}:${tag} names ${named} and cannot name ${digest}; push under another tag`)
  }

  async function refuseMove(bucket: BucketReader, move: TagsToSet, wait: Wait): Promise<void> {
    await pMap(
      immutableOf(move),
      async (tag) => {
        const named = await readTag(bucket, move.name, tag, wait)
        if (named !== undefined) refuseOther(move, tag, named)
      },
      { concurrency: readsAtOnce },
    )
  }

  /** Nobody leaves while a write may still arrive. */
  async function set(bucket: Bucket, move: TagsToSet, tag: Tag): Promise<void> {
    const { name, digest } = move
    const [key, link] = [tagLinkKey(name, tag), linkContent(digest)]
    if (!isImmutable(name, tag)) return bucket.write(key, link, unhurried)
    if (await bucket.create(key, link, unhurried)) return
    const named = await readTag(bucket, name, tag, unhurried)
    if (named === undefined) throw new UpstreamError('bucket', `${key} was there and is gone; push again`)
    refuseOther(move, tag, named)
  }

  return {
    refuseMove,

    whileSetting(bucket, move, wait, write) {
      const { name, digest } = move
      const tags = immutableOf(move)
      if (tags.length === 0) return write((tag) => bucket.write(tagLinkKey(name, tag), linkContent(digest), wait))
      const keys = [...tags.map((tag) => `${name}:${tag}`), manifestKey(name, digest)]
      return turns.take(keys, wait, async () => {
        await refuseMove(bucket, move, wait)
        return write((tag) => set(bucket, move, tag))
      })
    },

    refuseDelete(name, tag) {
      if (isImmutable(name, tag)) throw denied(`${name}:${tag} cannot be deleted`)
    },

    whileDeleting(bucket, name, digest, wait, remove) {
      if (!patterns.some((pattern) => mayMatchTagsOf(pattern, name))) return remove(wait)
      return turns.take([manifestKey(name, digest)], wait, async () => {
        const tags = (await tagsAfter(bucket, name, undefined, wait)).filter((tag) => isImmutable(name, tag))
        const named = await pMap(tags, (tag) => readTag(bucket, name, tag, wait), { concurrency: readsAtOnce })
        const tag = tags.find((_, at) => named[at] === digest)
        if (tag !== undefined) throw denied(`${name}:${tag} names ${digest}, which cannot be deleted`)
        return remove(unhurried)
      })
    },
  }
}

/** No tag has an @. */
function manifestKey(name: RepositoryName, digest: Digest): string {
  return `${name}@${digest}`
}

function denied(why: string): OciError {
  return new OciError('DENIED', `${why}: the tag is immutable (access.immutable_tags)`, {
    summary: 'the tag is immutable',
  })
}
