// Answers that carry content under a digest: a blob as a stream, a manifest from memory. One rule for HEAD, Range and
// conditional requests, for the origin, the edge and the bucket's own HTTP face.

import type { Key } from '../layout/keys.ts'
import type { BucketReader, Wait } from '../ports/bucket.ts'
import { etagOf, ifRangeHolds, noneMatch } from '../protocol/conditional.ts'
import type { Digest } from '../protocol/digest.ts'
import { OciError, UpstreamError } from '../protocol/errors.ts'
import { parseRange, rangeLength } from '../protocol/range.ts'
import type { StoredManifest } from '../registry/read-manifest.ts'

/**
 * Content under a digest never changes, so a client may keep it; `private`, because whether others may have it is decided
 * at each request; `no-transform`, because a proxy that compresses would break the digest and the length.
 */
export const contentCacheControl = 'private, max-age=31536000, immutable, no-transform'

/** What a tag names may change at any time: it may be kept, but is asked for again each time. */
const tagCacheControl = 'private, no-cache, no-transform'

/** A blob of `sizeBytes` that is stored under `key`: 200, 206, 304 or 416 by the request's headers. */
export async function blobResponse(
  bucket: BucketReader,
  blob: { readonly key: Key; readonly digest: Digest; readonly sizeBytes: number },
  request: Request,
  wait: Wait,
): Promise<Response> {
  const { key, digest, sizeBytes } = blob
  const headers = new Headers({
    'Content-Type': 'application/octet-stream',
    'Cache-Control': contentCacheControl,
    'Docker-Content-Digest': digest,
    ETag: etagOf(digest),
  })
  if (noneMatch(request.headers.get('If-None-Match') ?? undefined, digest))
    return new Response(null, { status: 304, headers })
  const ranged = ifRangeHolds(request.headers.get('If-Range') ?? undefined, digest)
  return objectResponse(
    bucket,
    { key, sizeBytes },
    headers,
    ranged ? (request.headers.get('Range') ?? undefined) : undefined,
    request.method,
    wait,
  )
}

/** An object that is there, or the range of it that was asked for: 200, 206 or 416. Adds length and range to `headers`. */
export async function objectResponse(
  bucket: BucketReader,
  { key, sizeBytes }: { readonly key: Key; readonly sizeBytes: number },
  headers: Headers,
  rangeHeader: string | undefined,
  method: string,
  wait: Wait,
): Promise<Response> {
  headers.set('Accept-Ranges', 'bytes')
  headers.set('Content-Length', String(sizeBytes))
  if (method === 'HEAD') return new Response(null, { status: 200, headers })
  const range = parseRange(rangeHeader, sizeBytes)
  if (range === 'unsatisfiable') {
    throw new OciError('SIZE_INVALID', `there are ${sizeBytes} bytes; the range lies outside of them`, {
      status: 416,
      headers: { 'Content-Range': `bytes */${sizeBytes}` },
    })
  }
  const opened = await bucket.open(key, range, wait)
  if (opened === undefined) throw new UpstreamError('bucket', `${key} vanished while it was read`)
  if (range === undefined) return new Response(opened.body, { status: 200, headers })
  headers.set('Content-Length', String(rangeLength(range)))
  headers.set('Content-Range', `bytes ${range.start}-${range.end}/${sizeBytes}`)
  return new Response(opened.body, { status: 206, headers })
}

/** A manifest that is held whole: 200 or 304. @param byTag whether a tag was asked for, whose answer may change */
export function manifestResponse(manifest: StoredManifest, request: Request, byTag: boolean): Response {
  const { digest, mediaType, bytes } = manifest
  const headers: Record<string, string> = {
    'Content-Type': mediaType,
    'Cache-Control': byTag ? tagCacheControl : contentCacheControl,
    'Docker-Content-Digest': digest,
    ETag: etagOf(digest),
  }
  if (noneMatch(request.headers.get('If-None-Match') ?? undefined, digest))
    return new Response(null, { status: 304, headers })
  headers['Content-Length'] = String(bytes.byteLength)
  return new Response(request.method === 'HEAD' ? null : bytes, { status: 200, headers })
}
