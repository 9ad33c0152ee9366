// Checks AWS Signature Version 4, in the query (presigned) or in the Authorization header. The signature is made again
// and compared. Source: Amazon S3 API Reference, "Authenticating Requests".

import { timingSafeEqual } from 'node:crypto'
import { AwsV4Signer } from 'aws4fetch'
import { LRUCache } from 'lru-cache'
import type { BucketKey } from '../accounts/bucket-key.ts'
import {
  algorithm,
  canonicalQuery,
  createUrlSignature,
  credentialScope,
  type SignedUrl,
} from '../../shared/protocol/aws-signature.ts'

/** Milliseconds that the clocks of signer and server may differ. */
const clockSkewMs = 15 * 60 * 1000

/** Seconds, the longest a presigned URL may be valid: S3's seven days. */
const longestValidSeconds = 7 * 24 * 3600

export interface SignatureRules {
  readonly key: BucketKey
  readonly region: string
}

/** From when until when a URL's signature holds, milliseconds. */
interface Validity {
  readonly fromMs: number
  readonly untilMs: number
}

/** Signed URLs that are remembered as genuine, of about 600 bytes each: making a signature costs more than all else in an answer. */
const keptUrls = 10_000

/** Tells why a request is refused, or undefined where it is signed by our key and in time. By query, an Authorization is ignored. */
export type SignatureCheck = (request: Request, url: URL, nowMs: number) => Promise<string | undefined>

export function createSignatureCheck(rules: SignatureRules): SignatureCheck {
  const signatureOf = createUrlSignature({ ...rules.key, region: rules.region })
  // By method and the very URL: another spelling is checked anew. What is remembered still has its time.
  const genuine = new LRUCache<string, Validity>({ max: keptUrls })
  return async (request, url, nowMs) => {
    if (!url.searchParams.has('X-Amz-Signature')) return headerFault(request, url, rules, nowMs)
    const asked = `${request.method} ${request.url}`
    const known = genuine.get(asked) ?? checkQuery(request.method, url, rules, signatureOf)
    if (typeof known === 'string') return known
    genuine.set(asked, known)
    if (nowMs < known.fromMs) return 'the URL is not valid yet'
    if (nowMs >= known.untilMs) return 'the URL has expired; ask the registry for a new one'
    return undefined
  }
}

/** The time a signed URL holds, or what is wrong with it. */
function checkQuery(
  method: string,
  url: URL,
  rules: SignatureRules,
  signatureOf: (url: SignedUrl) => string,
): Validity | string {
  const query = url.searchParams
  const signature = query.get('X-Amz-Signature') ?? ''
  const datetime = query.get('X-Amz-Date') ?? ''
  const validSeconds = Number(query.get('X-Amz-Expires') ?? Number.NaN)
  const signedAt = parseAmzDate(datetime)
  if (signedAt === undefined) return 'X-Amz-Date is no date'
  if (!Number.isInteger(validSeconds) || validSeconds < 1 || validSeconds > longestValidSeconds)
    return 'X-Amz-Expires is out of bounds'
  if (query.get('X-Amz-SignedHeaders') !== 'host') return 'only the header host is signed in a URL'
  if (query.get('X-Amz-Algorithm') !== algorithm) return `X-Amz-Algorithm is not ${algorithm}`
  if (query.get('X-Amz-Credential') !== credential(rules, datetime)) return 'the signature does not match'
  const signed = canonicalQuery([...query].filter(([name]) => name !== 'X-Amz-Signature'))
  const expected = signatureOf({ method, host: url.host, path: url.pathname, query: signed, datetime })
  if (!sameText(signature, expected)) return 'the signature does not match'
  return { fromMs: signedAt - clockSkewMs, untilMs: signedAt + validSeconds * 1000 }
}

async function headerFault(
  request: Request,
  url: URL,
  rules: SignatureRules,
  nowMs: number,
): Promise<string | undefined> {
  const authorization = request.headers.get('Authorization') ?? ''
  const match =
    /^AWS4-HMAC-SHA256 Credential=([^,\s]+),\s*SignedHeaders=([a-z0-9;-]+),\s*Signature=([0-9a-f]{64})$/.exec(
      authorization,
    )
  if (!match) return 'the request is not signed'
  const [, signedWith, signedHeaders = '', signature = ''] = match
  const names = signedHeaders.split(';')
  const datetime = request.headers.get('X-Amz-Date') ?? ''
  const signedAt = parseAmzDate(datetime)
  if (signedAt === undefined || !names.includes('host') || !names.includes('x-amz-date'))
    return 'host and x-amz-date must be signed'
  if (signedWith !== credential(rules, datetime)) return 'the signature does not match'
  const headers = names
    .filter((name) => name !== 'host')
    .map((name): [string, string] => [name, request.headers.get(name) ?? ''])
  const signer = new AwsV4Signer({
    ...signerOptions(rules),
    method: request.method,
    url: url.href,
    headers,
    datetime,
    allHeaders: true,
  })
  const expected = (await signer.sign()).headers.get('Authorization') ?? ''
  if (!sameText(signature, expected.slice(expected.lastIndexOf('=') + 1))) return 'the signature does not match'
  return Math.abs(nowMs - signedAt) > clockSkewMs ? 'the request was signed too long ago' : undefined
}

/** What a signature says it was made with; the key's id enters the signature itself only in a URL. */
function credential({ key, region }: SignatureRules, datetime: string): string {
  return `${key.accessKeyId}/${credentialScope(datetime, region)}`
}

function signerOptions({ key, region }: SignatureRules) {
  return { ...key, region, service: 's3' }
}

function parseAmzDate(text: string): number | undefined {
  const match = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/.exec(text)
  if (!match) return undefined
  const [, year, month, day, hour, minute, second] = match
  const epochMs = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  return Number.isNaN(epochMs) ? undefined : epochMs
}

function sameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}
