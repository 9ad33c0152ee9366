// A row for every route and each of its methods: a route or a method without one does not compile.

import type { Route, routeMethods } from '../../../../shared/http/routes.ts'
import { ociManifestType } from '../../http-client.ts'
import { sha256 } from '../../image.ts'
import type { Need } from './policy.ts'

/** What a path is made of. Everything in it exists, for refusals to be about something. */
export interface Target {
  readonly name: string
  readonly tag: string
  readonly digest: string
  readonly blob: string
  readonly session: string
  /** A manifest for pushes; another than is there, so that a push would be seen. */
  readonly manifest: string
}

export interface Call {
  readonly need: Need
  /** Where it is allowed: at the origin, and at edges where they answer otherwise. */
  readonly status: number
  readonly edgeStatus?: number
  readonly query?: (target: Target) => string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: (target: Target) => string
}

interface Row<Method extends string> {
  /** Each way in which the route names what it is about. */
  readonly paths: (target: Target) => readonly string[]
  readonly calls: Readonly<Record<Method, Call>>
  /** Whether percent-encoding is understood in the last segment. */
  readonly decodesLast?: true
  /** Whether the last segment may be any text. */
  readonly freeLast?: true
}

type Rows = { readonly [Kind in Route['kind']]: Row<(typeof routeMethods)[Kind][number]> }

export const chunk = 'bytes that nobody asked for'
const stores = () => `?digest=${sha256(chunk)}`
const pull: Call = { need: 'pull', status: 200 }

export const rows: Rows = {
  version: {
    paths: () => ['/v2/'],
    calls: { GET: { need: 'any token', status: 200 }, HEAD: { need: 'any token', status: 200 } },
  },
  manifest: {
    paths: ({ name, tag, digest }) => [`/v2/${name}/manifests/${tag}`, `/v2/${name}/manifests/${digest}`],
    calls: {
      GET: pull,
      HEAD: pull,
      PUT: {
        need: 'push',
        status: 201,
        headers: { 'Content-Type': ociManifestType },
        body: ({ manifest }) => manifest,
      },
      DELETE: { need: 'delete', status: 202 },
    },
    decodesLast: true,
    freeLast: true,
  },
  blob: {
    paths: ({ name, blob }) => [`/v2/${name}/blobs/${blob}`],
    calls: { GET: { ...pull, edgeStatus: 307 }, HEAD: pull, DELETE: { need: 'delete', status: 202 } },
    decodesLast: true,
  },
  uploads: {
    paths: ({ name }) => [`/v2/${name}/blobs/uploads/`],
    calls: { POST: { need: 'push', status: 201, query: stores, body: () => chunk } },
  },
  upload: {
    paths: ({ name, session }) => [`/v2/${name}/blobs/uploads/${session}`],
    calls: {
      GET: { need: 'push', status: 204 },
      PATCH: { need: 'push', status: 202, body: () => chunk },
      PUT: { need: 'push', status: 201, query: stores, body: () => chunk },
      DELETE: { need: 'push', status: 204 },
    },
    freeLast: true,
  },
  tags: { paths: ({ name }) => [`/v2/${name}/tags/list`], calls: { GET: pull, HEAD: pull } },
  referrers: {
    paths: ({ name, digest }) => [`/v2/${name}/referrers/${digest}`],
    calls: { GET: pull, HEAD: pull },
    decodesLast: true,
  },
  catalog: {
    paths: () => ['/v2/_catalog'],
    calls: { GET: { need: 'the catalog', status: 200 }, HEAD: { need: 'the catalog', status: 200 } },
  },
  token: {
    paths: () => ['/token'],
    calls: {
      GET: { need: 'no bearer', status: 200 },
      HEAD: { need: 'no bearer', status: 200 },
      POST: {
        need: 'a password',
        status: 200,
        headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
        body: () => 'grant_type=password&username=admin&password=wrong',
      },
    },
  },
}
