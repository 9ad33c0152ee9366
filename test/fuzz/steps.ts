// One fuzzed request as plain data, so that a failure prints it. What depends on the state of the registry (a session, the
// right digest) is filled in when it is sent.

import { sha256 } from '../support/image.ts'
import type { Model } from './model.ts'
import { bytesOf, contents, manifests } from './pools.ts'

export const routes = [
  ...(['manifest', 'blob', 'uploads', 'upload', 'tags', 'referrers', 'catalog', 'version', 'none'] as const),
]

/** Of the path or the query; `right` is the digest of what the request completes. */
export type Word = { readonly text: string } | { readonly right: true }

/** By the number of the content or manifest in the pools. */
export type Body =
  | undefined
  | { readonly content: number }
  | { readonly half: number }
  | { readonly manifest: number }
  | { readonly damaged: number; readonly at: number; readonly insert: string }
  | { readonly bytes: Uint8Array }

export interface Step {
  readonly face: 'origin' | 'edge'
  readonly method: string
  readonly route: (typeof routes)[number]
  readonly name: string
  readonly word: Word
  /** Which of the open sessions, the newest first; from `foreignSessions` on under `name`, which is seldom its own. */
  readonly session: number
  readonly query: readonly (readonly [string, Word])[]
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Body
}

export const foreignSessions = 3

/** A request as it is sent. */
export interface FuzzedRequest {
  readonly face: Step['face']
  readonly method: string
  /** Path and query, raw. */
  readonly target: string
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Uint8Array<ArrayBuffer> | undefined
}

export function resolveStep(step: Step, model: Model): FuzzedRequest {
  const foreign = step.session >= foreignSessions
  const session = [...model.sessions].at(-1 - (step.session % foreignSessions))
  const body = bodyOf(step.body)
  const before = step.route === 'upload' ? (session?.[1].bytes ?? bytesOf('')) : bytesOf('')
  const rightDigest = sha256(new Uint8Array(Buffer.concat([before, body ?? bytesOf('')])))
  const text = (word: Word) => ('text' in word ? word.text : rightDigest)
  const owner = foreign ? step.name : (session?.[1].name ?? step.name)
  const paths: Record<Step['route'], string> = {
    manifest: `/v2/${step.name}/manifests/${text(step.word)}`,
    blob: `/v2/${step.name}/blobs/${text(step.word)}`,
    uploads: `/v2/${step.name}/blobs/uploads/`,
    upload: `/v2/${owner}/blobs/uploads/${session?.[0] ?? text(step.word)}`,
    tags: `/v2/${step.name}/tags/list`,
    referrers: `/v2/${step.name}/referrers/${text(step.word)}`,
    catalog: '/v2/_catalog',
    version: '/v2/',
    none: `/${text(step.word)}`,
  }
  const query = step.query.map(([key, word]) => `${key}=${text(word)}`).join('&')
  return {
    face: step.face,
    method: step.method,
    target: paths[step.route] + (query === '' ? '' : `?${query}`),
    headers: step.headers,
    body: step.method === 'GET' || step.method === 'HEAD' || step.method === 'get' ? undefined : body,
  }
}

function bodyOf(body: Body): Uint8Array<ArrayBuffer> | undefined {
  if (body === undefined) return undefined
  if ('content' in body) return contents[body.content]
  if ('half' in body) return contents[body.half]?.slice(0, (contents[body.half]?.length ?? 0) / 2)
  if ('manifest' in body) return manifests[body.manifest]
  if ('bytes' in body) return new Uint8Array(body.bytes)
  const sound = Buffer.from(manifests[body.damaged] ?? '')
  return new Uint8Array(
    Buffer.concat([sound.subarray(0, body.at), Buffer.from(body.insert), sound.subarray(body.at + 1)]),
  )
}
