// A blob on its way from outside into the bucket. Whoever wants it meanwhile reads along while it grows; its last bytes
// are held back until its digest is right, so that nobody ever has all of something wrong.

import { writeLeaves } from '../ipfs/leaves.ts'
import { blobKey } from '../layout/keys.ts'
import type { Bucket, Wait } from '../ports/bucket.ts'
import type { Clock } from '../ports/clock.ts'
import type { Hasher } from '../ports/hasher.ts'
import type { Random } from '../ports/random.ts'
import type { Uploads } from '../ports/uploads.ts'
import { orAborted } from '../concurrency/or-aborted.ts'
import { unhurried } from '../concurrency/unhurried.ts'
import { algorithmOf, type Digest } from '../protocol/digest.ts'
import { writeFetched } from './content-view.ts'
import { hashUpload } from './hash-upload.ts'

/** Bytes that are held back until the digest is right; what is no larger is seen only when it was checked. */
export const heldBytes = 64 * 1024

/** Bytes that are read from the spool at once. */
const readBytes = 1024 * 1024

/** What came is not what the digest names. */
export class WrongContent extends Error {
  override readonly name = 'WrongContent'

  constructor(digest: Digest, detail: string) {
    super(`what came for ${digest} ${detail}`)
  }
}

export interface Spool {
  /** The bytes from the beginning; ends in an error where what came is wrong or broke off. */
  read(): ReadableStream<Uint8Array>
  /** Resolves when the blob is in the bucket, durable, and marked as fetched; rejects where it will not be. */
  readonly done: Promise<void>
}

export interface SpoolDeps {
  readonly bucket: Bucket
  readonly uploads: Uploads
  readonly hasher: Hasher
  readonly random: Random
  readonly clock: Clock
}

/**
 * Takes a stream into the bucket. It goes on when everyone who read along has left.
 * @param sizeBytes of the blob; more or fewer bytes are wrong
 * @param onStored is told how many bytes there are now
 */
export function startSpool(
  deps: SpoolDeps,
  blob: { readonly digest: Digest; readonly sizeBytes: number },
  body: ReadableStream<Uint8Array>,
  onStored: (sizeBytes: number) => void,
  wait: Wait,
): Spool {
  const { bucket, uploads, hasher, random, clock } = deps
  const { digest, sizeBytes } = blob
  // Looks like the id of an upload, so that one which a crash left expires like an upload.
  const id = `${random.uuid()}-${'0'.repeat(16)}`
  let stored = 0
  let state: 'filling' | 'publishing' | 'published' | 'failed' = 'filling'
  let changed = Promise.withResolvers<void>()
  const tell = () => {
    changed.resolve()
    changed = Promise.withResolvers<void>()
  }
  const seen = () => Math.max(0, Math.min(stored, sizeBytes - heldBytes))

  async function fill(): Promise<void> {
    const hash = hashUpload({ uploads, hasher }, id, algorithmOf(digest), true)
    await uploads.create(id, wait)
    try {
      await uploads.append(
        id,
        0,
        body,
        async (chunk) => {
          if (stored + chunk.byteLength > sizeBytes) throw new WrongContent(digest, `has more than ${sizeBytes} bytes`)
          hash.update(chunk)
          stored += chunk.byteLength
          onStored(stored)
          tell()
        },
        wait,
      )
      if (stored !== sizeBytes) throw new WrongContent(digest, `has ${stored} bytes, not ${sizeBytes}`)
      const actual = await hash.digest()
      if (actual !== digest) throw new WrongContent(digest, `has the digest ${actual}`)
      await writeLeaves(bucket, digest, sizeBytes, () => hash.leaves(), wait)
      state = 'publishing'
      await uploads.publish(id, blobKey(digest), sizeBytes, wait)
      // It is there: what interrupted us now would only forget where it came from.
      await writeFetched(bucket, digest, clock.now(), unhurried)
      state = 'published'
    } catch (error) {
      state = 'failed'
      await body.cancel(error).catch(() => {})
      await uploads.remove(id, unhurried)
      throw error
    } finally {
      hash.end()
      tell()
    }
  }

  const done = fill()
  // Readers hear of it in their streams.
  done.catch(() => {})

  function read(): ReadableStream<Uint8Array> {
    let at = 0
    const left = new AbortController()

    /** The next bytes from where they are now; undefined where they have just moved from staging to the bucket. */
    async function next(end: number): Promise<Uint8Array | undefined> {
      const range = { start: at, end: Math.min(at + readBytes, end) - 1 }
      if (state === 'published') {
        const opened = await bucket.open(blobKey(digest), range, { signal: left.signal })
        if (opened === undefined) throw new Error(`${digest} vanished while it was read`)
        return new Uint8Array(await new Response(opened.body).arrayBuffer())
      }
      try {
        const staged = await uploads.read(id, range, { signal: left.signal })
        return new Uint8Array(await new Response(staged).arrayBuffer())
      } catch (error) {
        if (state === 'filling') throw error
        // It has moved, or is just moving.
        await orAborted(left.signal, done)
        return undefined
      }
    }

    return new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          for (;;) {
            if (state === 'failed') await done
            const end = state === 'published' ? sizeBytes : seen()
            if (at < end) {
              const bytes = await next(end)
              if (bytes === undefined) continue
              at += bytes.byteLength
              controller.enqueue(bytes)
              return
            }
            if (state === 'published') return controller.close()
            await orAborted(left.signal, changed.promise)
          }
        },
        cancel: (reason) => left.abort(reason),
      },
      { highWaterMark: 0 },
    )
  }

  return { read, done }
}
