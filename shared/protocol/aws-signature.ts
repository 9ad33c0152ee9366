// AWS Signature Version 4 of URLs, which is how S3-like buckets know who may read: made for each blob that a client is sent
// to. Source: Amazon S3 API Reference, "Authenticating Requests: Using Query Parameters".

import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'

/** Whose signature, and for where it holds. */
export interface SigningKey {
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** What is signed of a request. */
export interface SignedUrl {
  readonly method: string
  /** With its port, unless that is the scheme's own. */
  readonly host: string
  /** As it is sent. */
  readonly path: string
  /** By `canonicalQuery`, without the signature. */
  readonly query: string
  /** As `20260101T000000Z`. */
  readonly datetime: string
}

export const algorithm = 'AWS4-HMAC-SHA256'

/** What a signature is made for, beside the request: a day, a region, and S3. */
export function credentialScope(datetime: string, region: string): string {
  return `${datetime.slice(0, 8)}/${region}/s3/aws4_request`
}

/** The parameters of a signed URL, and those of the request itself, as they enter the signature. */
export function signedQuery(
  key: SigningKey,
  options: { readonly datetime: string; readonly validSeconds: number },
  own: Iterable<readonly [string, string]> = [],
): string {
  return canonicalQuery([
    ['X-Amz-Algorithm', algorithm],
    ['X-Amz-Credential', `${key.accessKeyId}/${credentialScope(options.datetime, key.region)}`],
    ['X-Amz-Date', options.datetime],
    ['X-Amz-Expires', String(options.validSeconds)],
    ['X-Amz-SignedHeaders', 'host'],
    ...own,
  ])
}

/** Percent-encoded and in order. */
export function canonicalQuery(parameters: Iterable<readonly [string, string]>): string {
  return [...parameters]
    .map(([name, value]): [string, string] => [encode(name), encode(value)])
    .sort(([a, first], [b, second]) => compare(a, b) || compare(first, second))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
}

function compare(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

/** What `encodeURIComponent` leaves as it is, and RFC 3986 does not. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
}

/** Days whose keys are kept: today's, and those of clocks that differ. */
const keptDays = 4

/**
 * Makes signatures, in lower-case hex. By a hash in JavaScript: for texts this short the runtime's own, which it gives to
 * another thread, takes three times as long.
 */
export function createUrlSignature(key: SigningKey): (url: SignedUrl) => string {
  const keys = new Map<string, ReturnType<typeof hmacBy>>()

  function keyOfDay(day: string): ReturnType<typeof hmacBy> {
    const known = keys.get(day)
    if (known !== undefined) return known
    let derived = utf8(`AWS4${key.secretAccessKey}`)
    for (const part of [day, key.region, 's3', 'aws4_request']) derived = hmacBy(derived)(part)
    const made = hmacBy(derived)
    if (keys.size >= keptDays) keys.clear()
    keys.set(day, made)
    return made
  }

  return ({ method, host, path, query, datetime }) => {
    const request = `${method}\n${path}\n${query}\nhost:${host}\n\nhost\nUNSIGNED-PAYLOAD`
    const text = `${algorithm}\n${datetime}\n${credentialScope(datetime, key.region)}\n${bytesToHex(sha256(utf8(request)))}`
    return bytesToHex(keyOfDay(datetime.slice(0, 8))(text))
  }
}

/** What the key enters once is kept: half of the work for a short text. */
function hmacBy(key: Uint8Array): (text: string) => Uint8Array {
  const keyed = hmac.create(sha256, key)
  return (text) => keyed.clone().update(utf8(text)).digest()
}

const encoder = new TextEncoder()

function utf8(text: string): Uint8Array {
  return encoder.encode(text)
}
