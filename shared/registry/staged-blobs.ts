// Blobs that are taken in together: each is staged and checked, and none is published before all of them are right.

import { blobKey } from '../layout/keys.ts'
import type { Bucket, Wait } from '../ports/bucket.ts'
import type { Hasher } from '../ports/hasher.ts'
import type { Random } from '../ports/random.ts'
import { unhurried } from '../concurrency/unhurried.ts'
import type { Uploads } from '../ports/uploads.ts'
import { algorithmOf, type Digest } from '../protocol/digest.ts'
import { hashUpload } from './hash-upload.ts'
import { BadImage, type OpenCopy } from './image-source.ts'

export interface StagingDeps {
  readonly bucket: Bucket
  readonly uploads: Uploads
  readonly hasher: Hasher
  readonly random: Random
}

export interface StagedBlob {
  readonly digest: Digest
  readonly sizeBytes: number
  /** The sha256 of each leaf. */
  readonly leaves: readonly Uint8Array[]
  readonly uploadId: string
}

export interface Staging {
  /**
   * Stages a blob from the first of its copies that is right. Rejects with BadImage where none is.
   * @param onStaged is told how many bytes there are now
   */
  stage(
    blob: { readonly digest: Digest; readonly sizeBytes: number },
    copies: readonly OpenCopy[],
    onStaged: (sizeBytes: number) => void,
    wait: Wait,
  ): Promise<StagedBlob>

  /** Makes it an object of the bucket. */
  publish(blob: StagedBlob, wait: Wait): Promise<void>

  /** Removes what was staged and not published. */
  clear(): Promise<void>
}

export function createStaging({ uploads, hasher, random }: StagingDeps): Staging {
  const open = new Set<string>()

  async function end(id: string): Promise<void> {
    await uploads.remove(id, unhurried)
    open.delete(id)
  }

  return {
    async stage({ digest, sizeBytes }, copies, onStaged, wait) {
      const faults: string[] = []
      for (const openCopy of copies) {
        // Looks like the id of an upload, so that one which a crash left expires like an upload.
        const id = `${random.uuid()}-${'0'.repeat(16)}`
        const body = await openCopy(wait)
        await uploads.create(id, wait)
        open.add(id)
        const hash = hashUpload({ uploads, hasher }, id, algorithmOf(digest), true)
        let stored = 0
        const onStored = async (chunk: Uint8Array) => {
          stored += chunk.byteLength
          if (stored > sizeBytes) throw new BadImage(`blob ${digest} has more than ${sizeBytes} bytes`)
          hash.update(chunk)
          onStaged(stored)
        }
        try {
          const fault = await uploads.append(id, 0, body, onStored, wait).then(() => undefined, badImage)
          const actual = await hash.digest()
          if (fault !== undefined) faults.push(fault)
          else if (stored !== sizeBytes) faults.push(`blob ${digest} has ${stored} bytes, not ${sizeBytes}`)
          else if (actual !== digest) faults.push(`what it has as blob ${digest} has the digest ${actual}`)
          else return { digest, sizeBytes, leaves: await hash.leaves(), uploadId: id }
        } finally {
          hash.end()
        }
        await end(id)
      }
      throw new BadImage(faults[0] ?? `it lacks ${digest}`)
    },

    async publish({ uploadId, digest, sizeBytes }, wait) {
      await uploads.publish(uploadId, blobKey(digest), sizeBytes, wait)
      open.delete(uploadId)
    },

    async clear() {
      for (const id of open) await end(id)
    },
  }
}

/** What is wrong with the source; any other failure goes on. */
function badImage(error: unknown): string {
  if (error instanceof BadImage) return error.message
  throw error
}
