// The edge's HTTP face: manifests from caches and bucket, blobs by redirect, the rest from the origin.
// docs/request-handling.md numbers the rules.

import { type AccessRules, isAllPublic } from '../auth/access.ts'
import { anonymousCaller } from '../auth/caller.ts'
import { blobKey } from '../layout/keys.ts'
import type { BucketReader, Wait } from '../ports/bucket.ts'
import { deadline } from '../concurrency/deadline.ts'
import type { ObjectLinks } from '../ports/object-links.ts'
import { UpstreamError } from '../protocol/errors.ts'
import { type ContentName, parseContentName } from '../protocol/names.ts'
import { type ContentView, mayServeFromBucket, viewedManifest } from '../registry/content-view.ts'
import { blobUnknown } from '../registry/find-blob.ts'
import { hasManifest, readTag } from '../registry/links.ts'
import { manifestUnknown } from '../registry/pull-manifest.ts'
import { DamagedManifest } from '../registry/read-manifest.ts'
import { type Answer, withHeaders } from '../http/answer.ts'
import { blobAnswer, manifestAnswer } from '../http/content-answer.ts'
import { anonymousTokenAnswer, asksAnonymously } from '../http/token-answer.ts'
import { versionAnswer } from '../http/json-answer.ts'
import { listAnswer } from '../http/list-answers.ts'
import { publicHost, uploadHostHeader } from '../http/public-uploads.ts'
import { createRegistryApp, type FrameDeps, type RegistryApp, type RegistryRequest } from '../http/registry-app.ts'
import { rightFor, type RouteOf } from '../http/routes.ts'
import type { FoundManifest } from './cached-manifests.ts'
import { decideContent, decideDelivery } from './decide.ts'
import type { EdgeFinders } from './finders.ts'
import type { OriginClient } from './origin-client.ts'

export interface EdgeDeps extends FrameDeps {
  readonly bucket: BucketReader
  /** Where clients get blobs from; undefined: the edge streams them. */
  readonly links: ObjectLinks | undefined
  /** Where they get them from instead while everyone may pull everything; undefined: nowhere. */
  readonly publicLinks?: ObjectLinks | undefined
  /** By the rules of a request. */
  readonly finders: (access: AccessRules) => EdgeFinders
  readonly origin: OriginClient
  /** Longest time in milliseconds until the bucket's answer to a request begins. */
  readonly bucketTimeoutMs: number
}

/** For one request, with the rules that it was allowed by. */
interface RequestDeps extends EdgeDeps, EdgeFinders {
  readonly access: AccessRules
}

export function createEdgeApp(deps: EdgeDeps): RegistryApp {
  // The origin, which gave the capability out, says what it is worth.
  const uploadCaller = async () => anonymousCaller
  return createRegistryApp({ ...deps, uploadCaller }, async (request) => {
    const expired = () => new UpstreamError('bucket', `no answer within ${deps.bucketTimeoutMs} ms`)
    const limit = deadline(deps.clock, deps.bucketTimeoutMs, request.request.signal, expired)
    try {
      const { access } = request
      return await answer({ ...deps, ...deps.finders(access), access }, request, limit)
    } finally {
      limit.clear()
    }
  })
}

async function answer(deps: RequestDeps, request: RegistryRequest, wait: Wait): Promise<Answer> {
  const { route, method } = request
  switch (route.kind) {
    case 'version':
      return versionAnswer(method)
    case 'token':
      // What everyone gets needs no origin; the rest is the origin's to know.
      return asksAnonymously(request.request)
        ? anonymousTokenAnswer(request.request, request.query, deps.clock)
        : askOrigin(deps, request)
    case 'manifest':
      return rightFor(method, route) === 'pull' ? getManifest(deps, request, route, wait) : askOrigin(deps, request)
    case 'blob':
      if (rightFor(method, route) === 'pull') return getBlob(deps, request, route, wait)
      return deleteBlob(deps, request, route)
    case 'tags':
    case 'referrers':
    case 'catalog':
      request.tier = 'bucket'
      return listAnswer({ ...deps, caller: request.caller }, method, route, request.query, wait)
    case 'uploads':
      return beginUpload(deps, request)
    case 'upload':
      return askOrigin(deps, request)
  }
}

async function askOrigin(
  deps: EdgeDeps,
  request: RegistryRequest,
  headers?: Readonly<Record<string, string>>,
): Promise<Answer> {
  request.tier = 'origin'
  return deps.origin.ask(request.request, request.id, request.client, headers)
}

/** The bytes go to the origin themselves, where it has a host for that. */
function beginUpload(deps: EdgeDeps, request: RegistryRequest): Promise<Answer> {
  return askOrigin(deps, request, { [uploadHostHeader]: publicHost })
}

/** Here a delete is seen at once; other edges remember the blob for a minute at most. */
async function deleteBlob(
  deps: RequestDeps,
  request: RegistryRequest,
  { name, digest }: RouteOf<'blob'>,
): Promise<Answer> {
  const answer = await askOrigin(deps, request)
  deps.blobs.forget(name, digest)
  return answer
}

async function getManifest(
  deps: RequestDeps,
  request: RegistryRequest,
  route: RouteOf<'manifest'>,
  wait: Wait,
): Promise<Answer> {
  const { name, reference } = route
  const byTag = reference.kind === 'tag'
  let found: { linked: boolean; manifest: FoundManifest | undefined }
  try {
    found = await findManifest(deps, request, route, wait)
  } catch (error) {
    // The origin can fetch it anew, or says what is wrong.
    if (error instanceof DamagedManifest) return askOrigin(deps, request)
    const known = error instanceof UpstreamError ? await lastKnown(deps, route) : undefined
    if (known === undefined) throw error
    request.tier = 'last-known'
    return withHeaders(manifestAnswer(known, request.request, byTag), {
      Warning: '110 - "the bucket is in error; this is the last known answer"',
    })
  }
  const { linked, manifest } = found
  switch (decideContent(name, { linked, present: manifest !== undefined })) {
    case 'ask-origin':
      return askOrigin(deps, request)
    case 'refuse':
      throw manifestUnknown(name, reference)
    case 'serve':
  }
  if (manifest === undefined) throw manifestUnknown(name, reference)
  request.tier = manifest.tier
  return manifestAnswer(manifest, request.request, byTag)
}

/** A tag's link is always read, and a digest's looked at: caches know what a manifest says, never whether it is there. */
async function findManifest(deps: RequestDeps, request: RegistryRequest, route: RouteOf<'manifest'>, wait: Wait) {
  const { name, reference } = route
  const { bucket, manifests, views } = deps
  const content = parseContentName(name)
  const view = content && (await views.find(content, wait))
  if (content && view) return findViewed(deps, request, route, content, view, wait)
  if (reference.kind === 'tag') {
    const digest = await readTag(bucket, name, reference.tag, wait)
    if (digest === undefined) return { linked: false, manifest: undefined }
    const manifest = await manifests.get(name, digest, wait)
    if (manifest !== undefined) {
      await manifests.keep(name, manifest, request.inBackground)
      await manifests.sawTag(name, reference.tag, digest, request.inBackground)
    }
    return { linked: true, manifest }
  }
  const getting = manifests.get(name, reference.digest, wait)
  // A failure counts only where the manifest belongs here: it must not tell a stranger that the bytes exist.
  getting.catch(() => {})
  if (!(await hasManifest(bucket, name, reference.digest, wait))) return { linked: false, manifest: undefined }
  const manifest = await getting
  if (manifest !== undefined) await manifests.keep(name, manifest, request.inBackground)
  return { linked: true, manifest }
}

/** In a view; what the bucket may not serve there counts as not there, and the origin knows better. */
async function findViewed(
  deps: RequestDeps,
  request: RegistryRequest,
  { name, reference }: RouteOf<'manifest'>,
  content: ContentName,
  view: ContentView,
  wait: Wait,
) {
  const { manifests } = deps
  const digest = viewedManifest(view, content, reference)
  if (digest === undefined || !(await mayServeFromBucket(deps, view, digest, wait)))
    return { linked: false, manifest: undefined }
  if (view.isAging) request.inBackground(keepAlive(deps, request))
  const found = await manifests.get(name, digest, wait)
  const manifest = found && { ...found, root: view.root }
  if (manifest !== undefined) {
    await manifests.keep(name, manifest, request.inBackground)
    if (reference.kind === 'tag') await manifests.sawTag(name, reference.tag, digest, request.inBackground)
  }
  return { linked: true, manifest }
}

/** The origin counts the days since an image from outside was last asked for; it would not hear of hits. */
async function keepAlive({ origin }: EdgeDeps, { request, id, client }: RegistryRequest): Promise<void> {
  // Where not everyone may pull, the origin wants to know who asks.
  const authorization = request.headers.get('Authorization')
  const headers: Record<string, string> = authorization === null ? {} : { Authorization: authorization }
  const { body } = await origin.ask(new Request(request.url, { method: 'HEAD', headers }), id, client)
  if (body instanceof ReadableStream) await body.cancel()
}

async function lastKnown(
  { manifests }: RequestDeps,
  { name, reference }: RouteOf<'manifest'>,
): Promise<FoundManifest | undefined> {
  const digest = reference.kind === 'digest' ? reference.digest : await manifests.lastTag(name, reference.tag)
  return digest === undefined ? undefined : manifests.lastKnown(name, digest)
}

async function getBlob(
  deps: RequestDeps,
  request: RegistryRequest,
  route: RouteOf<'blob'>,
  wait: Wait,
): Promise<Answer> {
  const { name, digest } = route
  const { linked, sizeBytes } = await deps.blobs.find(name, digest, wait)
  switch (decideContent(name, { linked, present: sizeBytes !== undefined })) {
    case 'ask-origin':
      return askOrigin(deps, request)
    case 'refuse':
      throw blobUnknown(name, digest)
    case 'serve':
  }
  if (sizeBytes === undefined) throw blobUnknown(name, digest)
  const key = blobKey(digest)
  const link = request.method === 'GET' ? await linksNow(deps)?.link(key) : undefined
  const delivery = decideDelivery(request.method, link, request.request.url)
  if (delivery === 'redirect' && link !== undefined) {
    request.tier = 'redirect'
    return {
      status: 307,
      body: null,
      // A signed URL is the client's alone and ends soon, and a public one is given as long as the rules allow it: nobody
      // may keep this answer.
      headers: {
        Location: link,
        'Docker-Content-Digest': digest,
        'Content-Length': '0',
        'Cache-Control': 'private, no-store',
      },
    }
  }
  request.tier = 'bucket'
  return blobAnswer(deps.bucket, { key, digest, sizeBytes }, request.request, wait)
}

/** A public host gives a blob to whoever knows its digest, so clients are sent there only while that closes nothing. */
function linksNow({ access, links, publicLinks }: RequestDeps): ObjectLinks | undefined {
  return publicLinks !== undefined && isAllPublic(access) ? publicLinks : links
}
