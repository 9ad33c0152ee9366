// Tags that stay what they are (access.immutable_tags): once there, they are neither moved nor deleted by clients.
//
// Looking and writing take turns within one process, so of two first pushes of such a tag one is refused. Between two
// processes (two origins, or `mirrorball import` beside one) a bucket without conditional writes cannot decide: both may
// see no tag, and the later write stays. What was there before either of them began is safe all the same. Who takes
// content down (block-content.ts) takes these tags down too.

import pMap from 'p-map'
import { mayMatchTagsOf, matchesTagPattern } from '../auth/tag-pattern.ts'
import type { BucketReader, Wait } from '../ports/bucket.ts'
import { unhurried } from '../ports/unhurried.ts'
import type { Digest } from '../protocol/digest.ts'
import { OciError } from '../protocol/errors.ts'
import type { RepositoryName, Tag } from '../protocol/names.ts'
import { readTag } from './links.ts'
import { tagsAfter } from './list-tags.ts'
import { createTurns } from './turns.ts'

/** Reads of the bucket at once. */
const readsAtOnce = 32

/** Tags that are to name a manifest. */
export interface TagsToSet {
  readonly name: RepositoryName
  readonly tags: ReadonlySet<Tag>
  readonly digest: Digest
}

/** Every method rejects with OciError DENIED where an immutable tag would be lost. */
export interface ImmutableTags {
  /** Looks only: for those who find out early. */
  refuseMove(bucket: BucketReader, move: TagsToSet, wait: Wait): Promise<void>
  /** @param write is given the wait to set the tags with: nobody may leave while a write may still arrive */
  whileSetting<Result>(
    bucket: BucketReader,
    move: TagsToSet,
    wait: Wait,
    write: (tagWait: Wait) => Promise<Result>,
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

  async function refuseMove(bucket: BucketReader, move: TagsToSet, wait: Wait): Promise<void> {
    const { name, digest } = move
    await pMap(
      immutableOf(move),
      async (tag) => {
        const named = await readTag(bucket, name, tag, wait)
        if (named !== undefined && named !== digest)
          throw denied(`${name}:${tag} names ${named} and cannot name ${digest}; push under another tag`)
      },
      { concurrency: readsAtOnce },
    )
  }

  return {
    refuseMove,

    whileSetting(bucket, move, wait, write) {
      const { name, digest } = move
      const tags = immutableOf(move)
      if (tags.length === 0) return write(wait)
      const keys = [...tags.map((tag) => `${name}:${tag}`), manifestKey(name, digest)]
      return turns.take(keys, wait, async () => {
        await refuseMove(bucket, move, wait)
        return write(unhurried)
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
