// The route table and the one parser of paths. Nobody else looks at a path.
//
// Read from the end, because a repository name may hold any of the words that follow it (`a/blobs/uploads/b` is a name).
// The path is taken as it was sent: percent-encoding is understood in the last segment only, where clients write
// `sha256%3A…`, so no two spellings of a name exist. Source: OCI distribution-spec 1.1, "Endpoints".

import type { Wanted } from '../auth/authorize.ts'
import { parseDigest, type Digest } from '../protocol/digest.ts'
import { OciError } from '../protocol/errors.ts'
import { parseReference, parseRepositoryName, type Reference, type RepositoryName } from '../protocol/names.ts'

/** Every route and its methods. */
export const routeMethods = {
  version: ['GET', 'HEAD'],
  manifest: ['GET', 'HEAD', 'PUT', 'DELETE'],
  blob: ['GET', 'HEAD', 'DELETE'],
  uploads: ['POST'],
  upload: ['GET', 'PATCH', 'PUT', 'DELETE'],
  tags: ['GET', 'HEAD'],
  referrers: ['GET', 'HEAD'],
  catalog: ['GET', 'HEAD'],
  token: ['GET', 'HEAD', 'POST'],
} as const

export type Route =
  | { readonly kind: 'version' }
  | { readonly kind: 'manifest'; readonly name: RepositoryName; readonly reference: Reference }
  | { readonly kind: 'blob'; readonly name: RepositoryName; readonly digest: Digest }
  | { readonly kind: 'uploads'; readonly name: RepositoryName }
  | { readonly kind: 'upload'; readonly name: RepositoryName; readonly id: string }
  | { readonly kind: 'tags'; readonly name: RepositoryName }
  | { readonly kind: 'referrers'; readonly name: RepositoryName; readonly subject: Digest }
  | { readonly kind: 'catalog' }
  | { readonly kind: 'token' }

export type RouteOf<Kind extends Route['kind']> = Route & { readonly kind: Kind }

/**
 * The route a request means.
 * @param path as sent, without query
 * @throws OciError for a path that is no route, a malformed name, digest or tag, and a method the route does not have
 */
export function parseRoute(method: string, path: string): Route {
  if (path === '/v2/' || path === '/v2') return allow(method, { kind: 'version' })
  // No name begins with an underscore.
  if (path === '/v2/_catalog') return allow(method, { kind: 'catalog' })
  // Outside of /v2/: a repository may be called `token`.
  if (path === '/token') return allow(method, { kind: 'token' })
  if (!path.startsWith('/v2/')) throw noSuchPath()
  const segments = path.slice('/v2/'.length).split('/')
  const [third, second, last] = [segments.at(-3), segments.at(-2), segments.at(-1) ?? '']
  const nameBefore = (words: number) => name(segments.slice(0, -words).join('/'))

  if (second === 'manifests') {
    // The method comes first: what it refuses it refuses for every reference.
    refuseMethod(method, 'manifest')
    return { kind: 'manifest', name: nameBefore(2), reference: reference(method, decoded(last)) }
  }
  if (second === 'tags' && last === 'list') return allow(method, { kind: 'tags', name: nameBefore(2) })
  if (second === 'referrers') {
    refuseMethod(method, 'referrers')
    return { kind: 'referrers', name: nameBefore(2), subject: digest(decoded(last)) }
  }
  if (third === 'blobs' && second === 'uploads') {
    return last === ''
      ? allow(method, { kind: 'uploads', name: nameBefore(3) })
      : allow(method, { kind: 'upload', name: nameBefore(3), id: last })
  }
  if (second === 'blobs' && last === 'uploads') return allow(method, { kind: 'uploads', name: nameBefore(2) })
  if (second === 'blobs') {
    refuseMethod(method, 'blob')
    return { kind: 'blob', name: nameBefore(2), digest: digest(decoded(last)) }
  }
  throw noSuchPath()
}

/** What a request wants; undefined: a token, which everyone may ask for. */
export function wantedBy(method: string, route: Route): Wanted | undefined {
  if (route.kind === 'token') return undefined
  if (route.kind === 'version' || route.kind === 'catalog') return { kind: route.kind }
  return { kind: 'repository', name: route.name, right: rightFor(method, route) }
}

/** What a request needs the right to do. All that belongs to an upload is a push, ending it included. */
export function rightFor(method: string, route: Route): 'pull' | 'push' | 'delete' {
  if (route.kind === 'uploads' || route.kind === 'upload') return 'push'
  if (method === 'DELETE') return 'delete'
  return method === 'GET' || method === 'HEAD' ? 'pull' : 'push'
}

function allow<R extends Route>(method: string, route: R): R {
  refuseMethod(method, route.kind)
  return route
}

function refuseMethod(method: string, kind: Route['kind']): void {
  const methods: readonly string[] = routeMethods[kind]
  if (methods.includes(method)) return
  const allowed = methods.join(', ')
  throw new OciError('UNSUPPORTED', `${method} is not supported here; ${allowed} is`, { headers: { Allow: allowed } })
}

export function noSuchPath(): OciError {
  return new OciError('UNSUPPORTED', 'this path is not part of the registry API', { status: 404 })
}

function name(text: string): RepositoryName {
  const parsed = parseRepositoryName(text)
  if (parsed === undefined) {
    throw new OciError(
      'NAME_INVALID',
      'a repository name is of lower-case letters, digits and single separators (. _ __ -) between them, ' +
        'components joined by slashes, at most 255 characters',
    )
  }
  return parsed
}

function reference(method: string, text: string): Reference {
  const parsed = parseReference(text)
  if (parsed !== undefined) return parsed
  if (text.includes(':')) throw digestInvalid()
  const detail =
    'a tag is of letters, digits and . _ -, begins with a letter, digit or _, and has at most 128 characters'
  // Nothing can be there under a name that is no tag, so a pull learns just that.
  throw new OciError(method === 'PUT' ? 'MANIFEST_INVALID' : 'MANIFEST_UNKNOWN', detail)
}

function digest(text: string): Digest {
  const parsed = parseDigest(text)
  if (parsed === undefined) throw digestInvalid()
  return parsed
}

export function digestInvalid(): OciError {
  return new OciError('DIGEST_INVALID', 'a digest is sha256:<64 hex digits> or sha512:<128 hex digits>, lower case')
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}
