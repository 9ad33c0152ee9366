// Staging of uploads in memory, beside a bucket in memory.

import { takenOver, type Uploads } from '../../../shared/ports/uploads.ts'
import type { Objects } from './memory-bucket.ts'

/**
 * @param objects of the bucket that uploads are published into
 * @param now the time that touches are noted with
 */
export function createMemoryUploads(objects: Objects, now: () => number = () => Date.now()): Uploads {
  const staged = new Map<string, Uint8Array[]>()
  const touched = new Map<string, number>()
  const chunks = (id: string) => {
    const found = staged.get(id)
    if (found === undefined) throw new Error(`there is no upload ${id}`)
    return found
  }
  const joined = (id: string) => new Uint8Array(Buffer.concat(chunks(id)))
  return {
    async create(id, { signal }) {
      signal.throwIfAborted()
      staged.set(id, [])
      touched.set(id, now())
    },
    async size(id, { signal }) {
      signal.throwIfAborted()
      return staged.has(id) ? joined(id).byteLength : undefined
    },
    async append(id, offset, body, onStored, { signal }) {
      let size = offset
      const reader = body.getReader()
      const stop = () => void reader.cancel(signal.reason)
      signal.addEventListener('abort', stop, { once: true })
      try {
        signal.throwIfAborted()
        for (;;) {
          const { done, value } = await reader.read()
          if (done) break
          chunks(id).push(new Uint8Array(value))
          touched.set(id, now())
          await onStored(value)
          size += value.byteLength
        }
        signal.throwIfAborted()
        return size
      } finally {
        signal.removeEventListener('abort', stop)
      }
    },
    hash: undefined,
    async read(id, range, { signal }) {
      signal.throwIfAborted()
      const staged = joined(id)
      return new Blob([range === undefined ? staged : staged.slice(range.start, range.end + 1)]).stream()
    },
    async truncate(id, size, { signal }) {
      signal.throwIfAborted()
      staged.set(id, [joined(id).slice(0, size)])
      touched.set(id, now())
    },
    async publish(id, key, sizeBytes, { signal }) {
      signal.throwIfAborted()
      if (joined(id).byteLength !== sizeBytes) throw takenOver(id)
      objects.set(key, joined(id))
      staged.delete(id)
    },
    async remove(id, { signal }) {
      signal.throwIfAborted()
      staged.delete(id)
    },
    async *list({ signal }) {
      for (const id of staged.keys()) {
        signal.throwIfAborted()
        yield id
      }
    },
    async touchedMs(id, { signal }) {
      signal.throwIfAborted()
      return staged.has(id) ? touched.get(id) : undefined
    },
  }
}
