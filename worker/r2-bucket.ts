// Reads an R2 bucket through the Worker's binding.

import { LRUCache } from 'lru-cache'
import type { BucketReader, ListEntry } from '../shared/ports/bucket.ts'
import { orAborted } from '../shared/concurrency/or-aborted.ts'
import { UpstreamError } from '../shared/protocol/errors.ts'

/** An object that is as small as a link. */
interface Known {
  readonly etag: string
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** Bytes up to which an object is kept, to be asked for again by its etag: reading a body costs more than the asking. */
const keptBytes = 256

/** Objects kept, of about 500 bytes each with what belongs to them. */
const keptObjects = 10_000

export function createR2Bucket(r2: R2Bucket): BucketReader {
  const links = new LRUCache<string, Known>({ max: keptObjects })

  return {
    async head(key, { signal }) {
      return (await guarded(signal, r2.head(key)))?.size
    },

    async read(key, limitBytes, { signal }) {
      const known = links.get(key)
      const object = await guarded(signal, r2.get(key, unlessIs(known)))
      if (object === null) return undefined
      if (object.size > limitBytes) {
        if (hasBody(object)) await object.body.cancel()
        throw new UpstreamError('bucket', `${key} has more than ${limitBytes} bytes`)
      }
      // R2 sends no body for what we have: the etag is a hash of the bytes.
      if (!hasBody(object)) return known?.bytes.slice()
      const bytes = new Uint8Array(await guarded(signal, object.arrayBuffer()))
      if (bytes.byteLength <= keptBytes) links.set(key, { etag: object.etag, bytes: bytes.slice() })
      return bytes
    },

    async open(key, range, { signal }) {
      const options = range === undefined ? {} : { range: { offset: range.start, length: range.end - range.start + 1 } }
      const object = await guarded(signal, r2.get(key, options))
      if (object === null) return undefined
      // R2 answers a range that lies outside of the object with all of it, which is not what was asked for.
      if (range !== undefined && range.end >= object.size) {
        await object.body.cancel()
        throw new UpstreamError('bucket', `${key} ends before the range that was asked for`)
      }
      return { sizeBytes: object.size, body: object.body as ReadableStream<Uint8Array<ArrayBuffer>> }
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

function unlessIs(known: Known | undefined): R2GetOptions & { onlyIf?: R2Conditional } {
  return known === undefined ? {} : { onlyIf: { etagDoesNotMatch: known.etag } }
}

function hasBody(object: R2Object | R2ObjectBody): object is R2ObjectBody {
  return 'body' in object
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
