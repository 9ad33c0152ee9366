// The bucket on anything that speaks S3: R2, AWS, MinIO, versitygw and others.

import { GetObjectCommand } from '@aws-sdk/client-s3'
import { type Key, parseBlobKey } from '../../shared/layout/keys.ts'
import type { Bucket, Wait } from '../../shared/ports/bucket.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { entriesAfter } from '../../shared/protocol/s3-answers.ts'
import { bodyStream, readableOf } from './s3-body.ts'
import { type S3Connection, S3Failure } from './s3-connection.ts'
import { listPages } from './s3-listing.ts'
import { AnswerTooLarge, type S3Answer } from './s3-request.ts'

/** Milliseconds for which a bucket that was there is taken to be there still. */
const bucketKnownMs = 60_000

export function createS3Bucket(s3: S3Connection): Bucket {
  const at = (key: Key) => ({ Bucket: s3.bucket, Key: s3.prefix + key })
  let bucketSeenMs = Number.NEGATIVE_INFINITY

  /** A HEAD is answered 404 without a word, also where the bucket itself is missing: that must not pass for a missing key. */
  async function missing(wait: Wait): Promise<undefined> {
    if (s3.clock.now() - bucketSeenMs < bucketKnownMs) return undefined
    try {
      await s3.ask('HEAD of the bucket', { method: 'HEAD' }, wait)
    } catch (error) {
      if (!(error instanceof S3Failure) || error.status !== 404) throw error
      throw new UpstreamError('bucket', `there is no bucket ${s3.bucket}: create it, or correct its name`)
    }
    bucketSeenMs = s3.clock.now()
    return undefined
  }

  return {
    async head(key, wait) {
      const known = s3.recent.sizeOf(key)
      if (known !== undefined) return known
      try {
        const answer = await s3.ask(`HEAD ${key}`, { method: 'HEAD', key: s3.prefix + key }, wait)
        return lengthOf(key, contentLength(answer))
      } catch (error) {
        if (error instanceof S3Failure && error.status === 404) return missing(wait)
        throw error
      }
    },

    async read(key, limitBytes, wait) {
      try {
        const request = { method: 'GET', key: s3.prefix + key, limitBytes } as const
        const answer = await orMissing(s3.ask(`GET ${key}`, request, wait))
        if (answer === undefined) return undefined
        if (answer.bytes.byteLength !== lengthOf(key, contentLength(answer)))
          throw new UpstreamError('bucket', `${key} has another length than it said`)
        return answer.bytes
      } catch (error) {
        if (error instanceof AnswerTooLarge) throw new UpstreamError('bucket', `${key} has ${error.message}`)
        throw error
      }
    },

    async open(key, range, wait) {
      const what = `GET ${key}`
      const header = range === undefined ? {} : { Range: `bytes=${range.start}-${range.end}` }
      const answer = await orMissing(
        s3.call(
          what,
          (client, abortSignal) => client.send(new GetObjectCommand({ ...at(key), ...header }), { abortSignal }),
          wait,
        ),
      )
      if (answer === undefined) return undefined
      const length = lengthOf(key, answer.ContentLength)
      if (range === undefined) return { sizeBytes: length, body: bodyStream(s3, what, readableOf(answer), length) }
      // RFC 9110 section 15.3.7: a server may ignore Range, and then sends everything.
      const total = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(answer.ContentRange ?? '')
      if (Number(total?.[1]) !== range.start || Number(total?.[2]) !== range.end) {
        readableOf(answer).destroy()
        throw new UpstreamError('bucket', `${key} came with another range than asked for`)
      }
      return { sizeBytes: Number(total?.[3]), body: bodyStream(s3, what, readableOf(answer), length) }
    },

    async *list(prefix, after, wait) {
      for await (const page of listPages(s3, prefix, { level: 'one', after }, wait)) yield* entriesAfter(page, after)
    },

    async write(key, bytes, wait) {
      const headers = contentFields(key)
      await s3.ask(`PUT ${key}`, { method: 'PUT', key: s3.prefix + key, headers, body: bytes }, wait)
      s3.recent.wrote(key, bytes.byteLength)
    },

    remove: (key, wait) => removeObject(s3, key, wait),
  }
}

/** How an object is kept by whoever gets it: what a digest names for good, all else not at all. */
export function contentHeaders(key: Key): { ContentType: string; CacheControl: string } {
  return {
    ContentType: 'application/octet-stream',
    CacheControl: parseBlobKey(key) === undefined ? 'no-store' : 'private, max-age=31536000, immutable, no-transform',
  }
}

/** The same as fields of a request. */
export function contentFields(key: Key): Record<string, string> {
  const { ContentType, CacheControl } = contentHeaders(key)
  return { 'Content-Type': ContentType, 'Cache-Control': CacheControl }
}

/** Removes an object, also where it is not there. */
export async function removeObject(s3: S3Connection, key: Key, wait: Wait): Promise<void> {
  s3.recent.removed(key)
  await orMissing(s3.ask(`DELETE ${key}`, { method: 'DELETE', key: s3.prefix + key }, wait))
}

async function orMissing<Result>(work: Promise<Result>): Promise<Result | undefined> {
  try {
    return await work
  } catch (error) {
    if (error instanceof S3Failure && error.status === 404 && error.code === 'NoSuchKey') return undefined
    throw error
  }
}

function contentLength(answer: S3Answer): number | undefined {
  const length = answer.header('content-length')
  return length === undefined ? undefined : Number(length)
}

function lengthOf(key: Key, length: number | undefined): number {
  if (length === undefined) throw new UpstreamError('bucket', `${key} came without its length`)
  return length
}
