// The origin's HTTP face: every route answered from the bucket and the staging of uploads.

import { type AccessRules, isPublic } from '../auth/access.ts'
import { standing } from '../auth/caller.ts'
import type { IssuingAuthentication } from '../auth/token-service.ts'
import type { Bucket, Wait } from '../ports/bucket.ts'
import type { ClientInfo } from '../ports/client-info.ts'
import { deadline } from '../concurrency/deadline.ts'
import { orAborted } from '../concurrency/or-aborted.ts'
import { blobKey } from '../layout/keys.ts'
import { OciError, UpstreamError } from '../protocol/errors.ts'
import { manifestLimitBytes } from '../protocol/manifest.ts'
import { parseTag, type RepositoryName, type Tag } from '../protocol/names.ts'
import { deleteBlob, deleteManifest, deleteTag } from '../registry/delete.ts'
import type { ImageFetcher } from '../registry/fetch-image.ts'
import type { Views } from '../registry/content-view.ts'
import { blobUnknown } from '../registry/find-blob.ts'
import { locateBlob } from '../registry/pull-blob.ts'
import { manifestUnknown, type PullDeps, pullManifest } from '../registry/pull-manifest.ts'
import type { PushBlob } from '../registry/push-blob.ts'
import { pushManifest, type PushRules } from '../registry/push-manifest.ts'
import { type Answer, withHeaders } from './answer.ts'
import { blobAnswer, ipfsPath, manifestAnswer, unverifiedBlobAnswer } from './content-answer.ts'
import { createdAnswer } from './created-answer.ts'
import { versionAnswer } from './json-answer.ts'
import { listAnswer } from './list-answers.ts'
import { readBody } from './read-body.ts'
import { tokenAnswer } from './token-answer.ts'
import { type PublicUploads, uploadCaller } from './public-uploads.ts'
import { createRegistryApp, type FrameDeps, type RegistryApp, type RegistryRequest } from './registry-app.ts'
import { noSuchPath, type RouteOf } from './routes.ts'
import { startUpload, useUpload } from './upload-answers.ts'
import type { LoginLimit, RequestLimit } from './request-limit.ts'

export interface OriginDeps extends Omit<FrameDeps, 'policy'> {
  readonly access: AccessRules
  readonly bucket: Bucket
  readonly views: Views
  /** Brings what the bucket does not have; undefined where there is nowhere to fetch from. */
  readonly fetcher: ImageFetcher | undefined
  /** How many images a client may have searched for; undefined: any number. */
  readonly searchLimit?: RequestLimit | undefined
  readonly pushBlob: PushBlob
  /** Undefined: what is begun by an edge goes on by it. */
  readonly publicUploads?: PublicUploads | undefined
  /** Longest time in milliseconds until an answer begins, for all but requests that carry a blob: those have the listener's idle limit. */
  readonly requestTimeoutMs: number
  readonly push: PushRules
  /** Undefined where nobody can sign in. */
  readonly auth: IssuingAuthentication | undefined
  /** How many wrong logins a client may try; undefined: any number. */
  readonly loginLimit?: LoginLimit | undefined
}

/** The spec wants 10 at least. */
const tagsAtOnce = 100

export function createOriginApp(common: OriginDeps): RegistryApp {
  // Here the rules are those of the start.
  const { access, auth } = common
  const policy = { access, auth }
  const frame = { ...common, policy: () => policy, uploadCaller: uploadCallerAt(common) }
  return createRegistryApp(frame, async (request) => {
    const deps = { ...common, fetcher: searchingFor(request.client, common) }
    if (carriesBlob(request)) {
      return answer(deps, request, undefined, { signal: request.request.signal })
    }
    const manifest = request.method === 'PUT' ? await readManifestBody(deps, request.request) : undefined
    return within(deps, request.request, slowBucket(deps), (wait) => answer(deps, request, manifest, wait))
  })
}

function uploadCallerAt({ access, auth, publicUploads }: OriginDeps): FrameDeps['uploadCaller'] {
  if (publicUploads === undefined) return undefined
  const deps = { access, auth, capabilities: publicUploads.capabilities }
  return (upload, capability, client) => uploadCaller(deps, upload, capability, client)
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
      if (deps.auth === undefined) throw noSuchPath()
      return tokenAnswer({ ...deps, issuer: deps.auth.issuer }, request.request, request.client, request.query, wait)
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
  return withHeaders(createdAnswer(`/v2/${holder}/manifests/${digest}`, digest), {
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

/** The answer to a delete. */
function accepted(): Answer {
  return { status: 202, headers: { 'Content-Length': '0', 'Cache-Control': 'no-store' }, body: null }
}
