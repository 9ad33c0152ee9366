// The bucket of an origin that is read-only. Writes were refused to the client before they come here; a use case that
// writes without being asked to is a bug, and fails.

import type { Bucket, BucketReader } from '../../shared/ports/bucket.ts'

export function readOnlyBucket(reader: BucketReader): Bucket {
  return {
    ...reader,
    write: async (key) => refuse(key),
    create: async (key) => refuse(key),
    remove: async (key) => refuse(key),
  }
}

function refuse(key: string): never {
  throw new Error(`${key} was to be written, but this origin is read-only`)
}
