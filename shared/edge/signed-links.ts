// Presigned URLs of an S3-like bucket (AWS Signature Version 4 in the query): for clients, and for the edge's own reads.

import { LRUCache } from 'lru-cache'
import type { Clock } from '../ports/clock.ts'
import type { ObjectLinks } from '../ports/object-links.ts'
import type { Key } from '../layout/keys.ts'
import { createUrlSignature, signedQuery, type SigningKey } from '../protocol/aws-signature.ts'

/** How to reach an S3-like bucket over HTTP. */
export interface BucketAccess extends SigningKey {
  /** With the bucket in the path and no slash at the end, e.g. `http://127.0.0.1:1971/mirrorball`. */
  readonly url: string
}

/** Seconds a URL is valid, counted from the beginning of its quarter of an hour. */
export const linkValidSeconds = 3600

/** The date in a URL moves in steps of so many milliseconds: clients and caches see the same URL for as long. */
const linkStepMs = 15 * 60 * 1000

/** URLs kept, of about 500 bytes each: signing one costs more than all else in a redirect. */
const keptLinks = 10_000

export interface SignedLinks extends ObjectLinks {
  /** URL by which `method` is allowed on an object. */
  urlOf(method: 'GET' | 'HEAD', key: Key): string
  /** URL of ListObjectsV2 with these parameters. */
  listingUrl(query: URLSearchParams): string
}

export function createSignedLinks(access: BucketAccess, clock: Clock): SignedLinks {
  const presign = createPresign(access)
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

  function signed(method: string, path: string, query?: URLSearchParams): string {
    return presign(path, { method, datetime: currentDate(), validSeconds: linkValidSeconds, query })
  }

  function urlOf(method: 'GET' | 'HEAD', key: Key): string {
    currentDate()
    const cached = `${method}/${key}`
    const known = links.get(cached)
    if (known !== undefined) return known
    const url = signed(method, `/${key}`)
    links.set(cached, url)
    return url
  }

  return {
    urlOf,
    link: async (key) => urlOf('GET', key),
    listingUrl: (query) => signed('GET', '', query),
  }
}

/** What a presigned URL allows, and for how long. */
export interface PresignOptions {
  readonly method: string
  /** As `20260101T000000Z`, when it begins to be valid. */
  readonly datetime: string
  readonly validSeconds: number
  readonly query?: URLSearchParams | undefined
}

/** Makes presigned URLs. Their path is that in the bucket: `/<key>`, or nothing for the bucket itself. */
export function createPresign(access: BucketAccess): (path: string, options: PresignOptions) => string {
  const signature = createUrlSignature(access)
  const { host, pathname, origin } = new URL(access.url)
  const root = pathname === '/' ? '' : pathname
  return (inBucket, { method, datetime, validSeconds, query: own }) => {
    const path = `${root}${inBucket}` || '/'
    const query = signedQuery(access, { datetime, validSeconds }, own)
    return `${origin}${path}?${query}&X-Amz-Signature=${signature({ method, host, path, query, datetime })}`
  }
}

/** A time in the form of Signature Version 4, `YYYYMMDDTHHMMSSZ`. */
export function amzDate(epochMs: number): string {
  return new Date(epochMs).toISOString().replace(/[:-]|\.\d{3}/g, '')
}
