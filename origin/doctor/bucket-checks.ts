// Whether the bucket does what an origin and its edges ask of it.

import { formatKey, type KeyPrefix, probeKey } from '../../shared/layout/keys.ts'
import type { BucketReader, Wait } from '../../shared/ports/bucket.ts'
import type { Random } from '../../shared/ports/random.ts'
import { hasFormat } from '../../shared/registry/bucket-format.ts'
import type { ConditionalWrites } from '../bucket/s3-conditions.ts'
import { type Check, type Finding, reasonOf } from './check.ts'
import type { Scratch } from './scratch.ts'

export interface BucketProbes {
  /** For people. */
  readonly place: string
  readonly reader: BucketReader
  readonly scratch: Scratch
  /** Rejects where the place is none. */
  readonly reach: (wait: Wait) => Promise<void>
  /** Undefined where writes have no conditions: a folder. */
  readonly conditions: ((wait: Wait) => Promise<ConditionalWrites>) | undefined
  /** Why nothing may be written; undefined: it may. */
  readonly readOnly: string | undefined
}

const text = 'Mirrorball looks whether this bucket works.'

export function bucketChecks(probes: BucketProbes, random: Random): readonly Check[] {
  const { place, reader, scratch, readOnly } = probes
  const key = probeKey(random.uuid())
  const folder = key.slice(0, key.lastIndexOf('/') + 1) as KeyPrefix
  return [
    {
      name: 'bucket',
      why: 'without its bucket the origin does not start, and nothing is served',
      mend: 'see that the bucket is up and can be reached from this machine, and that bucket.s3_url (or bucket.folder) names it',
      async run(wait) {
        try {
          await probes.reach(wait)
          await reader.read(formatKey, 1024, wait)
        } catch (error) {
          return { fault: reasonOf(error), ...adviceOn(error, place) }
        }
        return { ok: place }
      },
    },
    {
      name: 'bucket-format',
      why: 'this version of Mirrorball would misread what is in the bucket, so the origin does not start',
      mend: 'run the version that wrote to the bucket last, or a newer one',
      needs: ['bucket'],
      async run(wait) {
        return { ok: (await hasFormat(reader, wait)) ? 'known' : 'none yet; the origin writes it' }
      },
    },
    {
      name: 'bucket-write',
      why: 'no push succeeds, and edges are not told of changed rules',
      mend: 'see that the bucket has room and takes writes',
      needs: ['bucket'],
      async run(wait) {
        if (readOnly !== undefined) return { skipped: readOnly }
        try {
          await scratch.write(key, new TextEncoder().encode(text), wait)
        } catch (error) {
          const mend =
            codeOf(error) === 'AccessDenied'
              ? 'give the key of bucket.access_key_id the right to write (on R2: Object Read & Write)'
              : undefined
          return { fault: reasonOf(error), ...(mend === undefined ? {} : { mend }) }
        }
        return { ok: 'an object was written' }
      },
    },
    {
      name: 'bucket-read',
      why: 'what is pushed could not be pulled',
      mend: 'see what stands between this machine and the bucket: a cache, or a proxy that changes answers',
      needs: ['bucket-write'],
      async run(wait) {
        const bytes = await reader.read(key, 1024, wait)
        if (bytes === undefined) return { fault: 'an object that was just written is not there' }
        return sameText(bytes, text)
      },
    },
    {
      name: 'bucket-range',
      why: 'pulls that go on after a break, and images on IPFS, need parts of objects',
      mend: 'have the server, and every proxy before it, honour Range (206 with Content-Range); R2, AWS S3, MinIO and versitygw do',
      needs: ['bucket-read'],
      async run(wait) {
        const range = { start: 11, end: 15 }
        const opened = await reader.open(key, range, wait)
        if (opened === undefined) return { fault: 'an object that was just read is not there' }
        const bytes = new Uint8Array(await new Response(opened.body).arrayBuffer())
        return sameText(bytes, text.slice(range.start, range.end + 1))
      },
    },
    {
      name: 'bucket-list',
      why: 'tags, referrers and open uploads are found by listing',
      mend: 'give the key of bucket.access_key_id the right to list the bucket (s3:ListBucket)',
      needs: ['bucket-write'],
      async run(wait) {
        for await (const { path } of reader.list(folder, '', wait))
          if (path === key) return { ok: 'the object is listed' }
        return { fault: 'an object that was just written is not listed' }
      },
    },
    {
      name: 'bucket-conditions',
      why: 'of two origins that write at once, one could overwrite what the other has written',
      mend: 'let no more than one origin write to this bucket, or use a server that honours If-None-Match on PUT, as R2, AWS S3, MinIO and versitygw do',
      needs: ['bucket-write'],
      async run(wait) {
        if (probes.conditions === undefined) return { skipped: 'a folder is written by one origin alone' }
        const { ifNoneMatch, ifMatch } = await probes.conditions(wait)
        if (!ifNoneMatch) return { fault: 'a PUT with If-None-Match: * replaced an object that was there' }
        return { ok: ifMatch ? 'If-None-Match and If-Match are honoured' : 'If-None-Match is honoured' }
      },
    },
    {
      name: 'bucket-delete',
      why: 'deleted images and ended uploads would stay, and be paid for',
      mend: 'give the key of bucket.access_key_id the right to delete objects (s3:DeleteObject)',
      needs: ['bucket-write'],
      async run(wait) {
        const other = probeKey(random.uuid())
        await scratch.write(other, new Uint8Array(1), wait)
        await scratch.remove(other, wait)
        if ((await reader.head(other, wait)) !== undefined) return { fault: 'a deleted object is still there' }
        return { ok: 'an object was deleted' }
      },
    },
  ]
}

function sameText(bytes: Uint8Array, wanted: string): Finding {
  const got = new TextDecoder().decode(bytes)
  return got === wanted ? { ok: `${bytes.byteLength} bytes` } : { fault: `other bytes came than were written` }
}

/** S3's own word for what went wrong. */
function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}

function adviceOn(error: unknown, place: string): { readonly why?: string; readonly mend?: string } {
  switch (codeOf(error)) {
    case 'SignatureDoesNotMatch':
      return { mend: 'set bucket.secret_access_key to the secret that belongs to bucket.access_key_id' }
    case 'InvalidAccessKeyId':
      return { mend: 'set bucket.access_key_id and bucket.secret_access_key to a key that the server knows' }
    case 'RequestTimeTooSkewed':
      return { mend: 'set the clock of this machine (NTP): signatures carry the time' }
    case 'AccessDenied':
      return { mend: 'give the key of bucket.access_key_id the rights to read, write, list and delete in this bucket' }
    case 'NoSuchBucket':
      return { mend: `create the bucket at ${place}, or correct the name at the end of bucket.s3_url` }
    case undefined:
    default:
      return {}
  }
}
