// The origin's HTTP face: every route answered from the bucket and the staging of uploads.

import { type AccessRules, isAllPublic, isPublic } from '../auth/access.ts'
import { type Caller, standing } from '../auth/caller.ts'
import type { TokenService } from '../auth/token-service.ts'
import type { Bucket, Wait } from '../ports/bucket.ts'
import type { ClientInfo } from '../ports/client-info.ts'
import { deadline } from '../ports/clock.ts'
import { orAborted } from '../ports/or-aborted.ts'
import { blobKey } from '../layout/keys.ts'
import { type Digest, parseAlgorithm, parseDigest } from '../protocol/digest.ts'
import { OciError, UpstreamError } from '../protocol/errors.ts'
import { manifestLimitBytes } from '../protocol/manifest.ts'
import { parseRepositoryName, parseTag, type RepositoryName, type Tag } from '../protocol/names.ts'
import { parseChunkRange } from '../protocol/range.ts'
import { deleteBlob, deleteManifest, deleteTag } from '../registry/delete.ts'
import type { ImageFetcher } from '../registry/fetch-image.ts'
import type { Views } from '../registry/content-view.ts'
import { blobUnknown } from '../registry/find-blob.ts'
import { mountBlob } from '../registry/mount-blob.ts'
import { locateBlob } from '../registry/pull-blob.ts'
import { manifestUnknown, type PullDeps, pullManifest } from '../registry/pull-manifest.ts'
import { type Chunk, OutOfOrderChunk, type PushBlob } from '../registry/push-blob.ts'
import { pushManifest, type PushRules } from '../registry/push-manifest.ts'
import { type Answer, withHeaders } from './answer.ts'
import { blobAnswer, ipfsPath, manifestAnswer, unverifiedBlobAnswer } from './content-answer.ts'
import { versionAnswer } from './json-answer.ts'
import { listAnswer } from './list-answers.ts'
import { readBody } from './read-body.ts'
import { tokenAnswer } from './token-answer.ts'
import { createRegistryApp, type FrameDeps, type RegistryApp, type RegistryRequest } from './registry-app.ts'
import { digestInvalid, noSuchPath, type RouteOf } from './routes.ts'
import type { LoginLimit, RequestLimit } from './request-limit.ts'

export interface OriginDeps extends FrameDeps {
  readonly bucket: Bucket
  readonly views: Views
  /** Brings what the bucket does not have; undefined where there is nowhere to fetch from. */
  readonly fetcher: ImageFetcher | undefined
  /** How many images a client may have searched for; undefined: any number. */
  readonly searchLimit?: RequestLimit | undefined
  readonly pushBlob: PushBlob
  /** Longest time in milliseconds until an answer begins, for all but requests that carry a blob: those have the listener's idle limit. */
  readonly requestTimeoutMs: number
  readonly push: PushRules
  /** Undefined where nobody can sign in. */
  readonly tokens: TokenService | undefined
  /** How many wrong logins a client may try; undefined: any number. */
  readonly loginLimit?: LoginLimit | undefined
}

/** The spec wants 10 at least. */
const tagsAtOnce = 100

export function createOriginApp(common: OriginDeps): RegistryApp {
  return createRegistryApp(common, async (request) => {
    const deps = { ...common, fetcher: searchingFor(request.client, common) }
    if (carriesBlob(request)) {
      return answer(deps, request, undefined, { signal: request.request.signal })
    }
    const manifest = request.method === 'PUT' ? await readManifestBody(deps, request.request) : undefined
    return within(deps, request.request, slowBucket(deps), (wait) => answer(deps, request, manifest, wait))
  })
}

/** The fetcher as this client may use it. */
function searchingFor(client: ClientInfo, { fetcher, searchLimit }: OriginDeps): ImageFetcher | undefined {
  if (fetcher === undefined || searchLimit === undefined) return fetcher
  return { ...fetcher, image: (root, wait) => fetcher.image(root, wait, () => searchLimit(client)) }
}

/** Such a request may take as long as its bytes keep coming, which is the listener's to see. */
function carriesBlob({ route, method, query }: RegistryRequest): boolean {
  return (
    (route.kind === 'upload' && (method === 'PATCH' || method === 'PUT')) ||
    (route.kind === 'uploads' && query.has('digest'))
  )
}

const slowBucket = (deps: OriginDeps) => () =>
  new UpstreamError('bucket', `no answer within ${deps.requestTimeoutMs} ms`)

/** A body that trickles must not hold its memory for ever, and is the client's fault, not the bucket's. */
function readManifestBody(deps: OriginDeps, request: Request): Promise<Uint8Array<ArrayBuffer>> {
  const detail = `the manifest did not arrive within ${deps.requestTimeoutMs} ms`
  const slowClient = () => new OciError('MANIFEST_INVALID', detail, { status: 408 })
  return within(deps, request, slowClient, ({ signal }) => orAborted(signal, readBody(request, manifestLimitBytes)))
}

async function within<Result>(
  { clock, requestTimeoutMs }: OriginDeps,
  request: Request,
  expired: () => Error,
  work: (wait: Wait) => Promise<Result>,
): Promise<Result> {
  const limit = deadline(clock, requestTimeoutMs, request.signal, expired)
  try {
    return await work(limit)
  } finally {
    limit.clear()
  }
}

/** @param body of a manifest PUT */
async function answer(
  deps: OriginDeps,
  request: RegistryRequest,
  body: Uint8Array<ArrayBuffer> | undefined,
  wait: Wait,
): Promise<Answer> {
  const { bucket, push } = deps
  const { route, method } = request
  if (route.kind !== 'version' && route.kind !== 'token') request.tier = 'bucket'
  switch (route.kind) {
    case 'version':
      return versionAnswer(method)
    case 'token':
      if (deps.tokens === undefined) throw noSuchPath()
      return tokenAnswer({ ...deps, tokens: deps.tokens }, request.request, request.client, request.query, wait)
    case 'manifest': {
      if (body !== undefined) return putManifest(deps, request, route, body, wait)
      if (method === 'DELETE') {
        const { name, reference } = route
        if (reference.kind === 'tag') {
          await deleteTag(bucket, push, name, reference.tag, wait)
        } else {
          await deleteManifest(bucket, push, name, reference.digest, wait)
          await push.publisher?.withdraw(name, reference.digest, wait)
        }
        return accepted()
      }
      const manifest = await pullManifest(pullDeps(deps, request, route.name), route.name, route.reference, wait)
      if (manifest === undefined) throw manifestUnknown(route.name, route.reference)
      return manifestAnswer(manifest, request.request, route.reference.kind === 'tag')
    }
    case 'blob':
      if (method !== 'DELETE') return getBlob(deps, request, route, wait)
      await deleteBlob(bucket, route.name, route.digest, wait)
      return accepted()
    case 'tags':
    case 'referrers':
    case 'catalog':
      return listAnswer({ ...deps, caller: request.caller }, method, route, request.query, wait)
    case 'uploads':
      return startUpload(deps, request, route, wait)
    case 'upload':
      return useUpload(deps.pushBlob, request, route, wait)
  }
}

/** What is not here is looked for outside for those alone who may have it brought. */
function pullDeps(deps: OriginDeps, { caller }: RegistryRequest, name: RepositoryName): PullDeps {
  return { ...deps, mayFetch: standing(deps.access, caller, 'fetch', name) === 'granted' }
}

async function putManifest(
  { bucket, access, push: rules }: OriginDeps,
  { request, query }: RegistryRequest,
  { name, reference }: RouteOf<'manifest'>,
  bytes: Uint8Array<ArrayBuffer>,
  wait: Wait,
): Promise<Answer> {
  const contentType = request.headers.get('Content-Type') ?? undefined
  const tags = reference.kind === 'digest' ? tagsOf(query) : []
  const { digest, holder, root, subject } = await pushManifest(
    bucket,
    { name, reference, bytes, contentType, tags },
    rules,
    wait,
  )
  return withHeaders(created(`/v2/${holder}/manifests/${digest}`, digest), {
    ...ipfsPath(isPublic(access, name) ? root : undefined),
    ...(subject === undefined ? {} : { 'OCI-Subject': subject }),
    ...(tags.length === 0 || holder !== name ? {} : { 'OCI-Tag': tags.join(', ') }),
  })
}

/** Tags to set with a push by digest (distribution-spec, development version, "Pushing Manifests"). */
function tagsOf(query: URLSearchParams): Tag[] {
  const texts = query.getAll('tag')
  if (texts.length > tagsAtOnce)
    throw new OciError('MANIFEST_INVALID', `at most ${tagsAtOnce} tags go with one push`, { status: 414 })
  return texts.map((text) => {
    const tag = parseTag(text)
    if (tag === undefined) throw new OciError('MANIFEST_INVALID', `${JSON.stringify(text)} is no tag`)
    return tag
  })
}

async function getBlob(
  deps: OriginDeps,
  request: RegistryRequest,
  { name, digest }: RouteOf<'blob'>,
  wait: Wait,
): Promise<Answer> {
  const located = await locateBlob(pullDeps(deps, request, name), name, digest, wait)
  if (located?.from === 'bucket')
    return blobAnswer(
      deps.bucket,
      { key: blobKey(digest), digest, sizeBytes: located.sizeBytes },
      request.request,
      wait,
    )
  if (located === undefined || deps.fetcher === undefined) throw blobUnknown(name, digest)
  request.tier = 'ipfs'
  const { wanted } = located
  if (request.method === 'HEAD' && wanted.sizeBytes !== undefined)
    return unverifiedBlobAnswer(digest, wanted.sizeBytes, null)
  const { sizeBytes, body } = await deps.fetcher.blob(wanted, wait)
  if (request.method !== 'HEAD') return unverifiedBlobAnswer(digest, sizeBytes, body)
  await body.cancel()
  return unverifiedBlobAnswer(digest, sizeBytes, null)
}

/** POST: opens a session, mounts a blob, or takes a whole blob at once. */
async function startUpload(
  { bucket, access, pushBlob }: OriginDeps,
  { request, query, caller }: RegistryRequest,
  { name }: RouteOf<'uploads'>,
  wait: Wait,
): Promise<Answer> {
  const mount = query.get('mount')
  if (mount !== null) {
    const digest = requireDigest(mount)
    const from = query.get('from')
    // A `from` that is no name has no blobs: the client gets a session instead, as the spec wants of a failed mount.
    const source = from === null ? undefined : parseRepositoryName(from)
    if (
      (from === null || source !== undefined) &&
      (await mountBlob(bucket, mayMount(access, caller, source), name, digest, source, wait))
    ) {
      return created(`/v2/${name}/blobs/${digest}`, digest)
    }
  }
  const whole = query.get('digest')
  if (whole === null)
    return sessionAnswer(202, name, await pushBlob.start({ name, user: caller.user }, hintedAlgorithm(query), wait), 0)
  const digest = requireDigest(whole)
  await pushBlob.whole({ name, user: caller.user }, digest, chunkOf(request), wait)
  return created(`/v2/${name}/blobs/${digest}`, digest)
}

/** A mount takes the right to pull from its source; where that is not named, from everywhere. */
function mayMount(access: AccessRules, caller: Caller, source: RepositoryName | undefined): boolean {
  return source === undefined ? isAllPublic(access) : standing(access, caller, 'pull', source) === 'granted'
}

/** GET, PATCH, PUT and DELETE of an open session. */
async function useUpload(
  pushBlob: PushBlob,
  { request, method, query, caller }: RegistryRequest,
  { name, id }: RouteOf<'upload'>,
  wait: Wait,
): Promise<Answer> {
  const owner = { name, user: caller.user }
  try {
    switch (method) {
      case 'PATCH':
        return sessionAnswer(202, name, id, await pushBlob.append(owner, id, chunkOf(request), wait))
      case 'PUT': {
        const digest = requireDigest(query.get('digest') ?? '')
        await pushBlob.finish(owner, id, digest, chunkOf(request), wait)
        return created(`/v2/${name}/blobs/${digest}`, digest)
      }
      case 'DELETE':
        await pushBlob.cancel(owner, id, wait)
        return { status: 204, headers: { 'Cache-Control': 'no-store' }, body: null }
      default:
        return sessionAnswer(204, name, id, await pushBlob.status(owner, id, wait))
    }
  } catch (error) {
    if (!(error instanceof OutOfOrderChunk)) throw error
    throw new OciError(error.code, error.detail, {
      status: error.status,
      headers: sessionHeaders(name, id, error.sizeBytes),
    })
  }
}

function chunkOf(request: Request): Chunk {
  const range = request.headers.get('Content-Range')
  const parsed = range === null ? undefined : parseChunkRange(range)
  if (range !== null && parsed === undefined) {
    throw new OciError('BLOB_UPLOAD_INVALID', 'Content-Range is <first byte>-<last byte>, e.g. 0-1023')
  }
  const length = request.headers.get('Content-Length')
  return {
    body: request.body ?? new Blob([]).stream(),
    range: parsed,
    lengthBytes: length === null ? undefined : Number(length),
  }
}

function requireDigest(text: string): Digest {
  const digest = parseDigest(text)
  if (digest === undefined) throw digestInvalid()
  return digest
}

/** `digest-algorithm` says what the upload will be checked with (distribution-spec, development version). */
function hintedAlgorithm(query: URLSearchParams) {
  const hint = query.get('digest-algorithm')
  if (hint === null) return 'sha256'
  const algorithm = parseAlgorithm(hint)
  if (algorithm === undefined) throw new OciError('DIGEST_INVALID', 'digest-algorithm is sha256 or sha512')
  return algorithm
}

/** Relative, so that it is right behind every proxy, name and port (RFC 9110 section 10.2.2 allows it). */
function created(location: string, digest: Digest): Answer {
  return {
    status: 201,
    body: null,
    headers: {
      Location: location,
      'Docker-Content-Digest': digest,
      'Content-Length': '0',
      'Cache-Control': 'no-store',
    },
  }
}

/** The answer to a delete. */
function accepted(): Answer {
  return { status: 202, headers: { 'Content-Length': '0', 'Cache-Control': 'no-store' }, body: null }
}

function sessionAnswer(status: number, name: RepositoryName, id: string, sizeBytes: number): Answer {
  const length: Record<string, string> = status === 204 ? {} : { 'Content-Length': '0' }
  return {
    status,
    headers: { ...sessionHeaders(name, id, sizeBytes), ...length, 'Cache-Control': 'no-store' },
    body: null,
  }
}

function sessionHeaders(name: RepositoryName, id: string, sizeBytes: number): Record<string, string> {
  return {
    Location: `/v2/${name}/blobs/uploads/${id}`,
    // Inclusive, so an empty session has no true form; clients know 0-0 from other registries.
    Range: `0-${Math.max(0, sizeBytes - 1)}`,
    'Docker-Upload-UUID': id,
  }
}
