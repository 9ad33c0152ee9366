// The bucket in memory: the second implementation of the port, for tests that need many fresh ones.

import type { Bucket, ListEntry } from '../../../shared/ports/bucket.ts'
import { UpstreamError } from '../../../shared/protocol/errors.ts'

/** The objects by key; may be looked into and changed from outside. */
export type Objects = Map<string, Uint8Array<ArrayBuffer>>

export function createMemoryBucket(objects: Objects = new Map()): Bucket {
  return {
    async head(key, { signal }) {
      signal.throwIfAborted()
      return objects.get(key)?.byteLength
    },
    async read(key, limitBytes, { signal }) {
      signal.throwIfAborted()
      const bytes = objects.get(key)
      if (bytes !== undefined && bytes.byteLength > limitBytes) throw tooLarge(key)
      return bytes?.slice()
    },
    async open(key, range, { signal }) {
      signal.throwIfAborted()
      const bytes = objects.get(key)
      if (bytes === undefined) return undefined
      const part = range === undefined ? bytes.slice() : bytes.slice(range.start, range.end + 1)
      return { sizeBytes: bytes.byteLength, body: new Blob([part]).stream() }
    },
    async *list(prefix, after, { signal }) {
      signal.throwIfAborted()
      const entries = new Map<string, ListEntry>()
      for (const key of objects.keys()) {
        if (!key.startsWith(prefix)) continue
        const slash = key.indexOf('/', prefix.length)
        const path = slash === -1 ? key : key.slice(0, slash + 1)
        entries.set(path, { path, kind: slash === -1 ? 'object' : 'folder' })
      }
      yield* [...entries.values()].filter(({ path }) => path > after).sort((a, b) => (a.path < b.path ? -1 : 1))
    },
    async remove(key, { signal }) {
      signal.throwIfAborted()
      objects.delete(key)
    },
    async create(key, bytes, { signal }) {
      signal.throwIfAborted()
      if (objects.has(key)) return false
      objects.set(key, new Uint8Array(bytes))
      return true
    },
    async write(key, bytes, { signal }) {
      signal.throwIfAborted()
      objects.set(key, new Uint8Array(bytes))
    },
  }
}

function tooLarge(key: string): UpstreamError {
  return new UpstreamError('bucket', `${key} is too large`)
}
