// Reads an R2 bucket through the Worker's binding.

import type { BucketReader, ListEntry } from '../shared/ports/bucket.ts'
import { orAborted } from '../shared/ports/or-aborted.ts'
import { UpstreamError } from '../shared/protocol/errors.ts'

export function createR2Bucket(r2: R2Bucket): BucketReader {
  return {
    async head(key, { signal }) {
      return (await guarded(signal, r2.head(key)))?.size
    },

    async read(key, limitBytes, { signal }) {
      const object = await guarded(signal, r2.get(key))
      if (object === null) return undefined
      if (object.size > limitBytes) {
        await object.body.cancel()
        throw new UpstreamError('bucket', `${key} has more than ${limitBytes} bytes`)
      }
      return new Uint8Array(await guarded(signal, object.arrayBuffer()))
    },

    async open(key, range, { signal }) {
      // R2 answers a range that lies outside of the object with all of it; the port says that ranges lie inside.
      const options = range === undefined ? {} : { range: { offset: range.start, length: range.end - range.start + 1 } }
      const object = await guarded(signal, r2.get(key, options))
      return object === null
        ? undefined
        : { sizeBytes: object.size, body: object.body as ReadableStream<Uint8Array<ArrayBuffer>> }
    },

    async *list(prefix, after, { signal }) {
      let cursor: string | undefined
      do {
        const page = await guarded(
          signal,
          r2.list({
            prefix,
            delimiter: '/',
            ...(after === '' ? {} : { startAfter: after }),
            ...(cursor === undefined ? {} : { cursor }),
          }),
        )
        const entries: ListEntry[] = [
          ...page.objects.map(({ key }) => ({ path: key, kind: 'object' as const })),
          ...page.delimitedPrefixes.map((path) => ({ path, kind: 'folder' as const })),
        ]
        // R2 counts a folder as after `after` when an object in it is.
        yield* entries.filter(({ path }) => path > after).sort((a, b) => (a.path < b.path ? -1 : 1))
        cursor = page.truncated ? page.cursor : undefined
      } while (cursor !== undefined)
    },
  }
}

/** The binding takes no signal: we stop waiting, and what it does meanwhile is harmless, since it only reads. */
async function guarded<Result>(signal: AbortSignal, work: Promise<Result>): Promise<Result> {
  try {
    return await orAborted(signal, work)
  } catch (error) {
    signal.throwIfAborted()
    throw new UpstreamError('bucket', 'R2 failed', { cause: error })
  }
}
