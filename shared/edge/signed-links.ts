// Presigned URLs of an S3-like bucket (AWS Signature Version 4 in the query): for clients, and for the edge's own reads.

import { AwsV4Signer } from 'aws4fetch'
import { LRUCache } from 'lru-cache'
import type { Clock } from '../ports/clock.ts'
import type { ObjectLinks } from '../ports/object-links.ts'
import type { Key } from '../layout/keys.ts'

/** How to reach an S3-like bucket over HTTP. */
export interface BucketAccess {
  /** With the bucket in the path and no slash at the end, e.g. `http://127.0.0.1:1971/mirrorball`. */
  readonly url: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** Seconds a URL is valid, counted from the beginning of its quarter of an hour. */
export const linkValidSeconds = 3600

/** The date in a URL moves in steps of so many milliseconds: clients and caches see the same URL for as long. */
const linkStepMs = 15 * 60 * 1000

/** URLs kept, of about 500 bytes each: signing one costs more than all else in a redirect. */
const keptLinks = 10_000

export interface SignedLinks extends ObjectLinks {
  /** URL by which `method` is allowed on an object. */
  urlOf(method: 'GET' | 'HEAD', key: Key): string | Promise<string>
  /** URL of ListObjectsV2 with these parameters. */
  listingUrl(query: URLSearchParams): Promise<string>
}

export function createSignedLinks(access: BucketAccess, clock: Clock): SignedLinks {
  const derivedKeys = new Map<string, ArrayBuffer>()
  const links = new LRUCache<string, string>({ max: keptLinks })
  let step = Number.NaN
  let datetime = ''

  /** The date in the URLs of now. URLs of the step before are forgotten. */
  function currentDate(): string {
    const now = Math.floor(clock.now() / linkStepMs)
    if (now !== step) {
      step = now
      datetime = amzDate(now * linkStepMs)
      links.clear()
    }
    return datetime
  }

  function signed(method: string, path: string): Promise<string> {
    return presign(access, path, { method, datetime: currentDate(), validSeconds: linkValidSeconds, derivedKeys })
  }

  async function keepSigned(method: string, key: Key, cached: string): Promise<string> {
    const begun = step
    const url = await signed(method, `/${key}`)
    if (begun === step) links.set(cached, url)
    return url
  }

  function urlOf(method: 'GET' | 'HEAD', key: Key): string | Promise<string> {
    currentDate()
    const cached = `${method}/${key}`
    return links.get(cached) ?? keepSigned(method, key, cached)
  }

  return {
    urlOf,
    link: async (key) => urlOf('GET', key),
    listingUrl: (query) => signed('GET', `?${query}`),
  }
}

/**
 * A presigned URL.
 * @param path in the bucket: `/<key>`, or a query
 * @param options.datetime as `20260101T000000Z`, when it begins to be valid
 */
export async function presign(
  access: BucketAccess,
  path: string,
  options: { method: string; datetime: string; validSeconds: number; derivedKeys?: Map<string, ArrayBuffer> },
): Promise<string> {
  const url = new URL(`${access.url}${path}`)
  url.searchParams.set('X-Amz-Expires', String(options.validSeconds))
  const signer = new AwsV4Signer({
    method: options.method,
    url: url.href,
    accessKeyId: access.accessKeyId,
    secretAccessKey: access.secretAccessKey,
    region: access.region,
    service: 's3',
    signQuery: true,
    datetime: options.datetime,
    ...(options.derivedKeys === undefined ? {} : { cache: options.derivedKeys }),
  })
  return (await signer.sign()).url.href
}

/** A time in the form of Signature Version 4, `YYYYMMDDTHHMMSSZ`. */
export function amzDate(epochMs: number): string {
  return new Date(epochMs).toISOString().replace(/[:-]|\.\d{3}/g, '')
}
