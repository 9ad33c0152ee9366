// Answers that carry content under a digest: a blob as a stream, a manifest from memory. One rule for HEAD, Range and
// conditional requests, for the origin, the edge and the bucket's own HTTP face.

import type { Key } from '../layout/keys.ts'
import type { BucketReader, Wait } from '../ports/bucket.ts'
import { etagOf, ifRangeHolds, noneMatch } from '../protocol/conditional.ts'
import type { Cid } from '../protocol/cid.ts'
import type { Digest } from '../protocol/digest.ts'
import { OciError, UpstreamError } from '../protocol/errors.ts'
import { parseRange, rangeLength } from '../protocol/range.ts'
import type { StoredManifest } from '../registry/read-manifest.ts'
import type { Answer } from './answer.ts'

/**
 * Content under a digest never changes, so a client may keep it; `private`, because whether others may have it is decided
 * at each request; `no-transform`, because a proxy that compresses would break the digest and the length.
 */
export const contentCacheControl = 'private, max-age=31536000, immutable, no-transform'

/** What a tag names may change at any time: it may be kept, but is asked for again each time. */
const tagCacheControl = 'private, no-cache, no-transform'

/** Bytes up to which an object is read before its answer begins: a stream costs more than what it would carry. */
const wholeBytes = 64 * 1024

/** A blob of `sizeBytes` that is stored under `key`: 200, 206, 304 or 416 by the request's headers. */
export async function blobAnswer(
  bucket: BucketReader,
  blob: { readonly key: Key; readonly digest: Digest; readonly sizeBytes: number },
  request: Request,
  wait: Wait,
): Promise<Answer> {
  const { key, digest, sizeBytes } = blob
  const headers = blobHeaders(digest)
  if (noneMatch(request.headers.get('If-None-Match') ?? undefined, digest)) return { status: 304, headers, body: null }
  const ranged = ifRangeHolds(request.headers.get('If-Range') ?? undefined, digest)
  return objectAnswer(
    bucket,
    { key, sizeBytes },
    headers,
    ranged ? (request.headers.get('Range') ?? undefined) : undefined,
    request.method,
    wait,
  )
}

/**
 * A blob that comes from outside and is checked while it goes through: whole, whatever range was asked for, since only
 * the whole of it can be checked. @param body null for a HEAD
 */
export function unverifiedBlobAnswer(
  digest: Digest,
  sizeBytes: number | undefined,
  body: ReadableStream<Uint8Array> | null,
): Answer {
  const length = sizeBytes === undefined ? {} : { 'Content-Length': String(sizeBytes) }
  return { status: 200, headers: { ...blobHeaders(digest), ...length }, body }
}

function blobHeaders(digest: Digest): Record<string, string> {
  return {
    'Content-Type': 'application/octet-stream',
    'Cache-Control': contentCacheControl,
    'Docker-Content-Digest': digest,
    ETag: etagOf(digest),
  }
}

/** An object that is there, or the range of it that was asked for: 200, 206 or 416. Adds length and range to the headers. */
export async function objectAnswer(
  bucket: BucketReader,
  { key, sizeBytes }: { readonly key: Key; readonly sizeBytes: number },
  fixedHeaders: Readonly<Record<string, string>>,
  rangeHeader: string | undefined,
  method: string,
  wait: Wait,
): Promise<Answer> {
  const headers = { ...fixedHeaders, 'Accept-Ranges': 'bytes', 'Content-Length': String(sizeBytes) }
  if (method === 'HEAD') return { status: 200, headers, body: null }
  const range = parseRange(rangeHeader, sizeBytes)
  if (range === 'unsatisfiable') {
    throw new OciError('SIZE_INVALID', `there are ${sizeBytes} bytes; the range lies outside of them`, {
      status: 416,
      headers: { 'Content-Range': `bytes */${sizeBytes}` },
    })
  }
  if (range === undefined && sizeBytes <= wholeBytes) {
    const bytes = await bucket.read(key, sizeBytes, wait)
    if (bytes?.byteLength !== sizeBytes) throw vanished(key)
    return { status: 200, headers, body: bytes }
  }
  const opened = await bucket.open(key, range, wait)
  if (opened === undefined) throw vanished(key)
  if (range === undefined) return { status: 200, headers, body: opened.body }
  return {
    status: 206,
    headers: {
      ...headers,
      'Content-Length': String(rangeLength(range)),
      'Content-Range': `bytes ${range.start}-${range.end}/${sizeBytes}`,
    },
    body: opened.body,
  }
}

function vanished(key: Key): UpstreamError {
  return new UpstreamError('bucket', `${key} vanished while it was read`)
}

/**
 * A manifest that is held whole: 200 or 304.
 * @param manifest.root where its image is on IPFS, if it is
 * @param byTag whether a tag was asked for, whose answer may change
 */
export function manifestAnswer(
  manifest: StoredManifest & { readonly root?: Cid | undefined },
  request: Request,
  byTag: boolean,
): Answer {
  const { digest, mediaType, bytes, root } = manifest
  const headers: Record<string, string> = {
    'Content-Type': mediaType,
    'Cache-Control': byTag ? tagCacheControl : contentCacheControl,
    'Docker-Content-Digest': digest,
    ETag: etagOf(digest),
    ...ipfsPath(root),
  }
  if (noneMatch(request.headers.get('If-None-Match') ?? undefined, digest)) return { status: 304, headers, body: null }
  headers['Content-Length'] = String(bytes.byteLength)
  return { status: 200, headers, body: request.method === 'HEAD' ? null : bytes }
}

/** Where an image is on IPFS, for clients that want it from there. */
export function ipfsPath(root: Cid | undefined): Record<string, string> {
  return root === undefined ? {} : { 'X-Ipfs-Path': `/ipfs/${root}` }
}
