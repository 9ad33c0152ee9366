// A bucket in which our keys are not at the top: all of them have the same prefix.

import type { Key, KeyPrefix } from '../layout/keys.ts'
import type { BucketReader } from '../ports/bucket.ts'
import type { ObjectLinks } from '../ports/object-links.ts'

/** Reads below `folder`, which has no slash at its ends; undefined: the bucket as it is. */
export function prefixedBucket(bucket: BucketReader, folder: string | undefined): BucketReader {
  if (folder === undefined) return bucket
  const at = keysBelow(folder)
  const shown = folder.length + 1
  return {
    head: (key, wait) => bucket.head(at(key), wait),
    read: (key, limitBytes, wait) => bucket.read(at(key), limitBytes, wait),
    open: (key, range, wait) => bucket.open(at(key), range, wait),
    async *list(prefix, after, wait) {
      const from = after === '' ? '' : `${folder}/${after}`
      for await (const { path, kind } of bucket.list(`${folder}/${prefix}` as KeyPrefix, from, wait))
        yield { path: path.slice(shown), kind }
    },
  }
}

/** Links to what lies below `folder`, as `prefixedBucket` reads it. */
export function prefixedLinks(links: ObjectLinks, folder: string | undefined): ObjectLinks {
  if (folder === undefined) return links
  const at = keysBelow(folder)
  return { link: (key) => links.link(at(key)) }
}

function keysBelow(folder: string): (key: Key) => Key {
  return (key) => `${folder}/${key}` as Key
}
