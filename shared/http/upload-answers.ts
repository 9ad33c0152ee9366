// The HTTP face of uploads: POST begins one, and GET, PATCH, PUT and DELETE of its URL go on with it.
// Source: OCI distribution-spec 1.1, "Pushing blobs" and "Mounting a blob from another repository".

import { type AccessRules, isAllPublic } from '../auth/access.ts'
import { type Caller, standing } from '../auth/caller.ts'
import type { Bucket, Wait } from '../ports/bucket.ts'
import { type Digest, parseAlgorithm, parseDigest } from '../protocol/digest.ts'
import { OciError } from '../protocol/errors.ts'
import { parseRepositoryName } from '../protocol/names.ts'
import { parseChunkRange } from '../protocol/range.ts'
import { mountBlob, type MountSources } from '../registry/mount-blob.ts'
import { type Chunk, OutOfOrderChunk, type PushBlob } from '../registry/push-blob.ts'
import type { Answer } from './answer.ts'
import { createdAnswer } from './created-answer.ts'
import { type PublicUploads, publicHost, publicUploadUrl, uploadHostHeader, uploadPath } from './public-uploads.ts'
import type { RegistryRequest } from './registry-app.ts'
import { digestInvalid, type RouteOf } from './routes.ts'

export interface UploadDeps {
  readonly bucket: Bucket
  readonly access: AccessRules
  readonly pushBlob: PushBlob
  /** Undefined: an upload goes on where it was begun. */
  readonly publicUploads?: PublicUploads | undefined
}

/** POST: opens a session, mounts a blob, or takes a whole blob at once. */
export async function startUpload(
  { bucket, access, pushBlob, publicUploads }: UploadDeps,
  { request, query, caller }: RegistryRequest,
  { name }: RouteOf<'uploads'>,
  wait: Wait,
): Promise<Answer> {
  const mount = query.get('mount')
  if (mount !== null) {
    const digest = requireDigest(mount)
    const sources = mountSources(access, caller, query.get('from'))
    if (await mountBlob(bucket, sources, name, digest, wait))
      return createdAnswer(`/v2/${name}/blobs/${digest}`, digest)
  }
  const whole = query.get('digest')
  if (whole === null) {
    const owner = { name, user: caller.user }
    const id = await pushBlob.start(owner, hintedAlgorithm(query), wait)
    const isBegunByEdge = request.headers.get(uploadHostHeader) === publicHost
    const location =
      publicUploads !== undefined && isBegunByEdge
        ? await publicUploadUrl(publicUploads, { ...owner, id })
        : uploadPath({ name, id }, undefined)
    return sessionAnswer(202, id, location, 0)
  }
  const digest = requireDigest(whole)
  await pushBlob.whole({ name, user: caller.user }, digest, chunkOf(request), wait)
  return createdAnswer(`/v2/${name}/blobs/${digest}`, digest)
}

/**
 * Where a mount may be made from, `from` or else anywhere: it takes the right to pull there. A right that the token was
 * not asked for is none. Clients ask for it; those that do not upload the blob, where a 401 would end their push.
 */
function mountSources(access: AccessRules, caller: Caller, from: string | null): MountSources {
  if (from === null && isAllPublic(access)) return 'everywhere'
  const names = from === null ? caller.access.map(({ name }) => name) : [parseRepositoryName(from)]
  return (
    names
      // What is no name has no blobs: the client gets a session instead, as the spec wants of a failed mount.
      .filter((name) => name !== undefined)
      .filter((name) => standing(access, caller, 'pull', name) === 'granted')
  )
}

/** GET, PATCH, PUT and DELETE of an open session. */
export async function useUpload(
  pushBlob: PushBlob,
  { request, method, query, caller, capability }: RegistryRequest,
  { name, id }: RouteOf<'upload'>,
  wait: Wait,
): Promise<Answer> {
  const owner = { name, user: caller.user }
  const location = uploadPath({ name, id }, capability)
  try {
    switch (method) {
      case 'PATCH':
        return sessionAnswer(202, id, location, await pushBlob.append(owner, id, chunkOf(request), wait))
      case 'PUT': {
        const digest = requireDigest(query.get('digest') ?? '')
        await pushBlob.finish(owner, id, digest, chunkOf(request), wait)
        return createdAnswer(`/v2/${name}/blobs/${digest}`, digest)
      }
      case 'DELETE':
        await pushBlob.cancel(owner, id, wait)
        return { status: 204, headers: { 'Cache-Control': 'no-store' }, body: null }
      default:
        return sessionAnswer(204, id, location, await pushBlob.status(owner, id, wait))
    }
  } catch (error) {
    if (!(error instanceof OutOfOrderChunk)) throw error
    throw new OciError(error.code, error.detail, {
      status: error.status,
      headers: sessionHeaders(id, location, error.sizeBytes),
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

function sessionAnswer(status: number, id: string, location: string, sizeBytes: number): Answer {
  const length: Record<string, string> = status === 204 ? {} : { 'Content-Length': '0' }
  return {
    status,
    headers: { ...sessionHeaders(id, location, sizeBytes), ...length, 'Cache-Control': 'no-store' },
    body: null,
  }
}

function sessionHeaders(id: string, location: string, sizeBytes: number): Record<string, string> {
  return {
    Location: location,
    // Inclusive, so an empty session has no true form; clients know 0-0 from other registries.
    Range: `0-${Math.max(0, sizeBytes - 1)}`,
    'Docker-Upload-UUID': id,
  }
}
