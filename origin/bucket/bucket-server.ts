// The bucket's own HTTP face: what S3 is to a deployed registry, this is to one that runs from a folder. It reads only:
// GET, HEAD, Range and ListObjectsV2, every request signed. Source: Amazon S3 API Reference.

import { XMLBuilder } from 'fast-xml-parser'
import { type Answer, toResponse } from '../../shared/http/answer.ts'
import { blobAnswer, objectAnswer } from '../../shared/http/content-answer.ts'
import { createHealth, type HealthDeps } from '../../shared/http/health.ts'
import { type Key, type KeyPrefix, parseBlobKey, parseKey, parseKeyPrefix } from '../../shared/layout/keys.ts'
import type { BucketReader, ListEntry, Wait } from '../../shared/ports/bucket.ts'
import { deadline } from '../../shared/concurrency/deadline.ts'
import type { Log } from '../../shared/ports/log.ts'
import type { RequestObserver } from '../../shared/ports/request-observer.ts'
import { OciError, UpstreamError } from '../../shared/protocol/errors.ts'
import { bucketName } from './bucket-name.ts'
import type { SignatureCheck } from './verify-signature.ts'

/** Entries of a listing's page, S3's own. */
const listPageLimit = 1000

/** Milliseconds until an answer begins. */
const answerTimeoutMs = 60_000

export interface BucketServerDeps extends HealthDeps {
  readonly bucket: BucketReader
  readonly signatureFault: SignatureCheck
  /** Where somebody counts. */
  readonly observer?: RequestObserver | undefined
}

/** The server as a fetch handler. */
export function createBucketServer(deps: BucketServerDeps): (request: Request) => Promise<Response> {
  const health = createHealth(deps)
  return async (request) => {
    const url = new URL(request.url)
    const probed = health(request.method, url.pathname)
    if (probed !== undefined) return toResponse(await probed)
    const started = deps.clock.now()
    const beganAt = deps.observer?.began() ?? 0
    const slow = () => new UpstreamError('bucket', `the disk did not answer within ${answerTimeoutMs} ms`)
    const limit = deadline(deps.clock, answerTimeoutMs, request.signal, slow)
    const answered = await answer(deps, request, url, limit).catch((error: unknown) =>
      failure(deps.log, request, error),
    )
    limit.clear()
    deps.observer?.answered(beganAt, routeOf(url.pathname), request.method, answered.status, 'bucket')
    deps.log.info('request', {
      method: request.method,
      path: url.pathname,
      status: answered.status,
      bytes: Number(answered.headers['Content-Length'] ?? 0),
      ms: deps.clock.now() - started,
    })
    return toResponse(answered)
  }
}

/** What was asked for, in words that metrics can count by. */
function routeOf(path: string): 'list' | 'object' | 'none' {
  if (path === `/${bucketName}` || path === `/${bucketName}/`) return 'list'
  return path.startsWith(`/${bucketName}/`) ? 'object' : 'none'
}

async function answer(
  { bucket, signatureFault, clock }: BucketServerDeps,
  request: Request,
  url: URL,
  wait: Wait,
): Promise<Answer> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return s3Error(request, 405, 'MethodNotAllowed', 'this bucket is read-only; GET and HEAD are allowed', {
      Allow: 'GET, HEAD',
    })
  }
  const fault = await signatureFault(request, url, clock.now())
  if (fault !== undefined) return s3Error(request, 403, 'AccessDenied', fault)
  const { pathname, searchParams } = url
  const route = routeOf(pathname)
  if (route === 'list') return listing(bucket, request, searchParams, wait)
  const key = route === 'object' ? parseKey(pathname.slice(bucketName.length + 2)) : undefined
  if (key === undefined) return noSuchKey(request)
  const digest = parseBlobKey(key)
  const range = request.headers.get('Range') ?? undefined
  if (digest === undefined && range === undefined && request.method === 'GET') {
    const bytes = await readLink(bucket, key, wait)
    if (bytes !== undefined) return linkAnswer(bytes)
  }
  const sizeBytes = await bucket.head(key, wait)
  if (sizeBytes === undefined) return noSuchKey(request)
  if (digest !== undefined) return blobAnswer(bucket, { key, digest, sizeBytes }, request, wait)
  return objectAnswer(bucket, { key, sizeBytes }, linkHeaders, range, request.method, wait)
}

/** Links and the like change: nobody may keep them. */
const linkHeaders = { 'Content-Type': 'application/octet-stream', 'Cache-Control': 'no-store' }

/** Bytes; what is not a blob has fewer, see docs/storage-layout.md. */
const linkLimitBytes = 4096

/**
 * At once, without a look for its size first, since every pull begins with one. undefined where it is missing or, other
 * than expected, too large: then the long way says what it is.
 */
async function readLink(bucket: BucketReader, key: Key, wait: Wait): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    return await bucket.read(key, linkLimitBytes, wait)
  } catch (error) {
    wait.signal.throwIfAborted()
    if (error instanceof UpstreamError) return undefined
    throw error
  }
}

function linkAnswer(bytes: Uint8Array<ArrayBuffer>): Answer {
  const headers = { ...linkHeaders, 'Accept-Ranges': 'bytes', 'Content-Length': String(bytes.byteLength) }
  return { status: 200, headers, body: bytes }
}

function noSuchKey(request: Request): Answer {
  return s3Error(request, 404, 'NoSuchKey', 'there is no such object')
}

/** ListObjectsV2. Its continuation is the last path of the page before. */
async function listing(bucket: BucketReader, request: Request, query: URLSearchParams, wait: Wait): Promise<Answer> {
  const prefix = parseKeyPrefix(query.get('prefix') ?? '')
  const maxKeys = query.get('max-keys') ?? String(listPageLimit)
  const delimiter = query.get('delimiter') ?? ''
  if (
    query.get('list-type') !== '2' ||
    prefix === undefined ||
    !/^\d{1,6}$/.test(maxKeys) ||
    !['', '/'].includes(delimiter)
  ) {
    const need = 'list-type=2, a prefix that ends with a slash, a whole number as max-keys, and / as delimiter if any'
    return s3Error(request, 400, 'InvalidArgument', `a listing here takes ${need}`)
  }
  const limit = Math.min(Number(maxKeys), listPageLimit)
  const after = query.get('continuation-token') ?? query.get('start-after') ?? ''
  const found: ListEntry[] = []
  for await (const entry of delimiter === '/'
    ? bucket.list(prefix, after, wait)
    : allObjects(bucket, prefix, after, wait)) {
    found.push(entry)
    if (found.length > limit) break
  }
  const page = found.slice(0, limit)
  const encode = query.get('encoding-type') === 'url' ? encodeURIComponent : (path: string) => path
  const objects = page.filter(({ kind }) => kind === 'object')
  const sizes = await Promise.all(objects.map(({ path }) => bucket.head(path as Key, wait)))
  const document = {
    ListBucketResult: {
      '@_xmlns': 'http://s3.amazonaws.com/doc/2006-03-01/',
      Name: bucketName,
      Prefix: encode(prefix),
      ...(delimiter === '' ? {} : { Delimiter: encode(delimiter) }),
      MaxKeys: limit,
      KeyCount: page.length,
      IsTruncated: found.length > page.length,
      ...(found.length > page.length ? { NextContinuationToken: page.at(-1)?.path } : {}),
      Contents: objects.map(({ path }, at) => ({ Key: encode(path), Size: sizes[at] ?? 0 })),
      CommonPrefixes: page.filter(({ kind }) => kind === 'folder').map(({ path }) => ({ Prefix: encode(path) })),
    },
  }
  return xmlResponse(request, 200, document)
}

/** Every object under a prefix; what lies in a folder comes where the folder would. */
async function* allObjects(
  bucket: BucketReader,
  prefix: KeyPrefix,
  after: string,
  wait: Wait,
): AsyncIterable<ListEntry> {
  // A folder that `after` lies in sorts before it and has to be entered all the same, so the whole level is read.
  for await (const entry of bucket.list(prefix, '', wait)) {
    if (entry.kind === 'object' && entry.path > after) yield entry
    const maybeInside = entry.path > after || after.startsWith(entry.path)
    if (entry.kind === 'folder' && maybeInside) yield* allObjects(bucket, entry.path as KeyPrefix, after, wait)
  }
}

function failure(log: Log, request: Request, error: unknown): Answer {
  if (error instanceof OciError) return s3Error(request, error.status, 'InvalidRange', error.detail, error.headers)
  if (error instanceof UpstreamError) {
    log.warn('the folder failed', {}, error)
    return s3Error(request, 503, 'ServiceUnavailable', 'the bucket cannot be read; try again', { 'Retry-After': '5' })
  }
  if (!request.signal.aborted) log.error('a request failed', {}, error)
  return s3Error(request, 500, 'InternalError', 'a fault of this bucket')
}

function s3Error(
  request: Request,
  status: number,
  code: string,
  message: string,
  headers: Record<string, string> = {},
): Answer {
  return xmlResponse(request, status, { Error: { Code: code, Message: message } }, headers)
}

function xmlResponse(request: Request, status: number, document: object, headers: Record<string, string> = {}): Answer {
  const xml = new XMLBuilder({ ignoreAttributes: false }).build({
    '?xml': { '@_version': '1.0', '@_encoding': 'UTF-8' },
    ...document,
  })
  const body = new TextEncoder().encode(xml)
  return {
    status,
    body: request.method === 'HEAD' ? null : body,
    headers: {
      'Content-Type': 'application/xml',
      'Content-Length': String(body.byteLength),
      'Cache-Control': 'no-store',
      ...headers,
    },
  }
}
