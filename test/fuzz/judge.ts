// Judges an answer by what was pushed before, and takes what the registry accepted into the model. Throws where the answer
// is wrong: a failure of the registry's own, an error without its form, something readable that was not pushed here, or
// something pushed that is not there.

import { ociErrorCodes } from '../../shared/protocol/errors.ts'
import { belongs, digestLike, join, manifestOf, type Model } from './model.ts'

export interface JudgedRequest {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: Headers
  readonly body: Uint8Array
}

export interface JudgedAnswer {
  readonly status: number
  readonly headers: Headers
  readonly body: Uint8Array
}

interface Case {
  readonly model: Model
  readonly request: JudgedRequest
  readonly answer: JudgedAnswer
  readonly name: string
  /** The last segment of the path, decoded. */
  readonly last: string
}

const nameGrammar = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/
const tagGrammar = /^\w[\w.-]{0,127}$/
const digestGrammar = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/

/** Read from the end, as names may hold the words of routes. */
const paths: readonly [RegExp, string, ((judged: Case) => void)?][] = [
  [/^\/v2\/?$/, 'version'],
  [/^\/v2\/_catalog$/, 'catalog', judgeCatalog],
  [/^\/v2\/(.+)\/manifests\/([^/]*)$/, 'manifest', judgeManifest],
  [/^\/v2\/(.+)\/tags\/list$/, 'tags', judgeTags],
  [/^\/v2\/(.+)\/referrers\/([^/]*)$/, 'referrers', judgeReferrers],
  [/^\/v2\/(.+)\/blobs\/uploads\/?$/, 'uploads', judgeStart],
  [/^\/v2\/(.+)\/blobs\/uploads\/([^/]+)$/, 'upload', judgeUpload],
  [/^\/v2\/(.+)\/blobs\/([^/]*)$/, 'blob', judgeBlob],
]

/** @returns the kind of request and the answer's status, for counting what was reached: `PUT manifest 201` */
export function judge(model: Model, request: JudgedRequest, answer: JudgedAnswer): string {
  const { status, headers } = answer
  demand(status >= 200 && status < 500, `the status is ${status}`)
  demand(headers.get('Cache-Control') !== null, 'there is no Cache-Control')
  if (status >= 400) judgeForm(request, answer)
  const [path, kind, judgeKind] = paths.find(([grammar]) => grammar.test(request.path)) ?? []
  if (path === undefined || kind === undefined) {
    demand(status >= 400, 'a path that is none was answered')
    return `${request.method} nothing ${status}`
  }
  const [, name = '', last = ''] = path.exec(request.path) ?? []
  const wellNamed = kind === 'version' || kind === 'catalog' || (name.length <= 255 && nameGrammar.test(name))
  demand(wellNamed || status >= 400, `${name} was taken for a name`)
  if (wellNamed) judgeKind?.({ model, request, answer, name, last: decoded(last) })
  return `${request.method} ${kind} ${status}`
}

function judgeForm({ method }: JudgedRequest, { status, headers, body }: JudgedAnswer): void {
  demand(headers.get('Content-Type') === 'application/json', `${status} is of ${headers.get('Content-Type')}`)
  demand(headers.get('Cache-Control') === 'no-store', `${status} may be kept`)
  if (method === 'HEAD') return demand(body.length === 0, 'HEAD has a body')
  const { errors } = JSON.parse(textOf(body)) as { errors: { code: string; message: string; detail: string }[] }
  demand(errors.length === 1 && Object.hasOwn(ociErrorCodes, errors[0]?.code ?? ''), textOf(body))
}

function judgeManifest({ model, request, answer, name, last }: Case): void {
  const { manifests, tags, content } = model
  const { method } = request
  const { status, headers } = answer
  const byDigest = digestGrammar.test(last)
  const wanted = byDigest ? last : tags.get(name)?.get(last)
  const there = wanted !== undefined && belongs(manifests, name, wanted) ? wanted : undefined
  if (method === 'GET' || method === 'HEAD') {
    demand((there !== undefined) === status < 400, `${name} ${last} is ${there ?? 'not there'}, but came as ${status}`)
    if (there !== undefined) expectContent(model, there, request, answer)
  } else if (method === 'PUT' && status === 201) {
    demand(byDigest || tagGrammar.test(last), `${last} was taken for a reference`)
    demand(!/^[0-9a-f]{64}$/.test(name), 'a content name was pushed to')
    const digest = digestLike(last, request.body)
    demand(!byDigest || digest === last, `the digest is ${digest}, not ${last}`)
    demand(headers.get('Location') === `/v2/${name}/manifests/${digest}`, 'the location is another')
    for (const blob of manifestOf(request.body).blobs) demand(belongs(model.blobs, name, blob), `${blob} is missing`)
    content.set(digest, request.body)
    join(manifests, name, digest)
    const named = byDigest ? request.query.getAll('tag') : [last]
    for (const tag of named) tags.set(name, (tags.get(name) ?? new Map<string, string>()).set(tag, digest))
  } else if (method === 'DELETE' && (there !== undefined || status < 400)) {
    demand(there !== undefined && status === 202, `a delete of ${there ?? 'nothing'} was answered ${status}`)
    if (byDigest) manifests.get(name)?.delete(last)
    for (const [tag, digest] of tags.get(name) ?? [])
      if (byDigest ? digest === last : tag === last) tags.get(name)?.delete(tag)
  } else demand(status >= 400, 'this was accepted')
}

function judgeBlob({ model, request, answer, name, last }: Case): void {
  const { method } = request
  const { status } = answer
  const there = belongs(model.blobs, name, last)
  if (method === 'GET' || method === 'HEAD') {
    demand(there === (status < 400 || status === 416), `${name} ${last} is ${there ? '' : 'not '}there, but ${status}`)
    if (there && status !== 416) expectContent(model, last, request, answer)
  } else if (method === 'DELETE' && (there || status < 400)) {
    demand(there && status === 202, `a delete was answered ${status}`)
    model.blobs.get(name)?.delete(last)
  } else demand(status >= 400, 'this was accepted')
}

/** The bytes are those that were pushed under the digest: all, a range, or by a redirect that somebody else follows. */
function expectContent(
  { content }: Model,
  digest: string,
  { method, headers }: JudgedRequest,
  answer: JudgedAnswer,
): void {
  const pushed = content.get(digest) ?? new Uint8Array()
  demand(answer.headers.get('Docker-Content-Digest') === digest, 'the digest is another')
  if (answer.status === 307)
    return demand(answer.headers.get('Location')?.includes(digest.split(':')[1] ?? '') === true, 'it leads elsewhere')
  if (answer.status === 304) return demand(headers.has('If-None-Match'), '304 for who has nothing')
  const [, first, end] = /^bytes (\d+)-(\d+)\/\d+$/.exec(answer.headers.get('Content-Range') ?? '') ?? []
  demand((answer.status === 206) === (first !== undefined), 'a range without 206, or 206 without a range')
  const expected = first === undefined ? pushed : pushed.subarray(Number(first), Number(end) + 1)
  demand(answer.headers.get('Content-Length') === String(expected.length), 'the length is another')
  if (method === 'GET') demand(Buffer.compare(answer.body, expected) === 0, 'the bytes are others')
}

function judgeStart({ model, request, answer, name }: Case): void {
  const { query, body, method } = request
  const { status, headers } = answer
  if (status >= 400) return
  demand(method === 'POST' && !/^[0-9a-f]{64}$/.test(name), 'this was accepted')
  const [mount, from, whole] = ['mount', 'from', 'digest'].map((key) => query.get(key))
  if (status === 202) {
    demand(whole === null, 'a session instead of a blob')
    model.sessions.set(headers.get('Location')?.split('/').at(-1) ?? '', { name, bytes: new Uint8Array() })
    return
  }
  demand(status === 201, `the status is ${status}`)
  const digest = headers.get('Docker-Content-Digest') ?? ''
  const mounted =
    digest === mount && model.content.has(digest) && (from === null || belongs(model.blobs, from ?? '', digest))
  demand(
    mounted || (digest === whole && digestLike(digest, body) === digest),
    `${digest} is neither mounted nor pushed`,
  )
  if (!mounted) model.content.set(digest, body)
  join(model.blobs, name, digest)
}

function judgeUpload({ model, request, answer, name, last: id }: Case): void {
  const { method, body, query, headers } = request
  const { status } = answer
  const session = model.sessions.get(id)
  if (session?.name !== name) return demand(status >= 400, 'a session that is none was used')
  demand(status !== 404, 'the session is gone')
  if (status >= 400) return
  const bytes = new Uint8Array(Buffer.concat([session.bytes, body]))
  const range = /(\d+)-(\d+)/.exec(headers.get('Content-Range') ?? '')
  if (range !== null && (method === 'PATCH' || method === 'PUT')) {
    demand(
      Number(range[1]) === session.bytes.length && Number(range[2]) === bytes.length - 1,
      'a wrong range was taken',
    )
  }
  if (method === 'PATCH' && status === 202) model.sessions.set(id, { name, bytes })
  else if (method === 'PUT' && status === 201) {
    const digest = query.get('digest') ?? ''
    demand(digestLike(digest, bytes) === digest, `the bytes are not of ${digest}`)
    model.content.set(digest, bytes)
    join(model.blobs, name, digest)
    model.sessions.delete(id)
  } else if (method === 'DELETE' && status === 204) model.sessions.delete(id)
  else demand(method === 'GET' && status === 204, `${method} was answered ${status}`)
  const size = model.sessions.get(id)?.bytes.length
  if (size !== undefined) demand(answer.headers.get('Range') === `0-${Math.max(0, size - 1)}`, 'the size is another')
}

function judgeTags({ model, request, answer, name }: Case): void {
  if (!reads(request, answer)) return
  const known = (model.manifests.get(name)?.size ?? 0) > 0
  if (answer.status >= 400) return demand(!known || answer.status !== 404, `${name} is there`)
  demand(known, `${name} holds nothing`)
  if (request.method === 'GET')
    expectList(request, (JSON.parse(textOf(answer.body)) as { tags: string[] }).tags, [
      ...(model.tags.get(name) ?? new Map<string, string>()).keys(),
    ])
}

function judgeCatalog({ model, request, answer }: Case): void {
  if (!reads(request, answer) || answer.status >= 400 || request.method === 'HEAD') return
  const names = [...model.manifests].filter(([, digests]) => digests.size > 0).map(([name]) => name)
  expectList(request, (JSON.parse(textOf(answer.body)) as { repositories: string[] }).repositories, names)
}

function judgeReferrers({ model, request, answer, name, last }: Case): void {
  if (!reads(request, answer) || answer.status >= 400 || request.method === 'HEAD') return
  for (const { digest } of (JSON.parse(textOf(answer.body)) as { manifests: { digest: string }[] }).manifests) {
    const refers = manifestOf(model.content.get(digest) ?? new Uint8Array()).subject === last
    demand(belongs(model.manifests, name, digest) && refers, `${digest} refers not to ${last}`)
  }
}

function reads({ method }: JudgedRequest, { status }: JudgedAnswer): boolean {
  if (method === 'GET' || method === 'HEAD') return true
  demand(status >= 400, 'this was accepted')
  return false
}

function expectList({ query }: JudgedRequest, listed: readonly string[], known: readonly string[]): void {
  const all = known.toSorted((a, b) => (a < b ? -1 : 1))
  const [n, after] = [query.get('n'), query.get('last')]
  const expected = all.filter((each) => after === null || each > after).slice(0, n === null ? undefined : Number(n))
  demand(
    JSON.stringify(listed) === JSON.stringify(expected),
    `listed are ${listed.join()}, there are ${expected.join()}`,
  )
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8')
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

function demand(isSo: boolean, otherwise: string): void {
  if (!isSo) throw new Error(otherwise)
}
