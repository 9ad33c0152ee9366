// Requests as fast-check makes them.

import * as fc from 'fast-check'
import { sha256 } from '../support/image.ts'
import { contents, digests, manifests, names, oddTexts, tags } from './pools.ts'
import { type Body, foreignSessions, routes, type Step, type Word } from './steps.ts'

const right = { right: true } as const
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'QUERY', 'get', 'X'] as const
const queryKeys = ['digest', 'mount', 'from', 'tag', 'n', 'last', 'artifactType', 'digest-algorithm', '_state'] as const
const headerNames = [
  ...(['Range', 'If-None-Match', 'If-Range', 'Content-Range', 'Content-Type', 'Accept', 'Accept-Encoding'] as const),
  ...(['Content-Encoding', 'Authorization', 'X-Request-Id', 'X-Forwarded-Host', 'X-HTTP-Method-Override'] as const),
]

const pick = <Value>(values: readonly Value[]) => fc.constantFrom(...values)
const texts = fc.oneof(
  pick(oddTexts),
  pick([...tags, ...digests, ...names]),
  fc.string({ maxLength: 20 }),
  fc.string({ unit: 'binary', maxLength: 8 }),
)
const words: fc.Arbitrary<Word> = fc.oneof(
  fc.constant(right),
  texts.map((text) => ({ text })),
)
/** Mostly of this kind, now and then what is of another. */
const mostly = (words: readonly string[]) =>
  fc
    .oneof({ weight: 8, arbitrary: pick(words) }, { weight: 1, arbitrary: pick([...tags, ...digests]) })
    .map((text) => ({ text }))
const blobWords = mostly(contents.map(sha256))
const manifestWords = mostly([...tags, ...manifests.map(sha256)])
const content = pick([...contents.keys()]).map((at) => ({ content: at }))
const manifest = pick([...manifests.keys()]).map((at) => ({ manifest: at }))
const bodies: fc.Arbitrary<Body> = fc.oneof(
  fc.constant(undefined),
  content,
  content.map(({ content: at }) => ({ half: at })),
  manifest,
  fc.record({
    damaged: pick([...manifests.keys()]),
    at: fc.nat(300),
    insert: fc.string({ unit: 'binary', maxLength: 3 }),
  }),
  fc.record({ bytes: fc.uint8Array({ maxLength: 40 }) }),
)

const anyField = {
  face: fc.constantFrom('origin', 'edge'),
  method: pick(methods),
  route: pick(routes),
  name: fc.oneof({ weight: 3, arbitrary: pick(names) }, { weight: 1, arbitrary: texts }),
  word: words,
  session: fc.nat(2 * foreignSessions),
  query: fc.array(fc.tuple(pick(queryKeys), words), { maxLength: 3 }),
  headers: fc.array(fc.tuple(pick(headerNames), texts), { maxLength: 3 }),
  body: bodies,
} as const

const plainField = {
  ...anyField,
  name: fc.oneof({ weight: 4, arbitrary: pick(names.slice(0, 2)) }, { weight: 1, arbitrary: pick(names.slice(0, -1)) }),
  session: fc.nat(foreignSessions - 1),
  query: fc.constant([]),
  headers: fc.constant([]),
  body: fc.constant(undefined),
} as const

const entityTags = ['*', 'W/"other"', ...contents.map((bytes) => `"${sha256(bytes)}"`)]
const heading = (name: (typeof headerNames)[number], values: readonly string[]) =>
  pick(values).map((value) => [name, value] as const)
/** Now and then what makes an answer of another kind. */
const readHeaders = fc.array(
  fc.oneof(
    heading('Range', ['bytes=0-0', 'bytes=1-', 'bytes=-2', 'bytes=2-9', 'bytes=3000-', 'bytes=4000-', 'bytes=0-0,2-2']),
    heading('If-None-Match', ['*', ...entityTags]),
    heading('If-Range', entityTags),
  ),
  { minLength: 1, maxLength: 2 },
)
const chunkHeaders = fc.array(
  heading('Content-Range', ['0-1', '0-4', '0-2999', '2-6', '5-6', 'bytes 0-1/2', 'bytes 0-1/*', '0-', '1-0', '*']),
  {
    maxLength: 1,
  },
)

/** What clients do rightly, so that the registry fills, and empties again. */
const sensible: readonly [number, fc.Arbitrary<Step>][] = [
  [8, plain({ method: ['POST'], route: 'uploads', query: fc.constant([['digest', right]]), body: content })],
  [4, plain({ method: ['POST'], route: 'uploads' })],
  [
    3,
    plain({
      method: ['POST'],
      route: 'uploads',
      query: fc.tuple(
        fc.tuple(fc.constant('mount'), blobWords),
        fc.tuple(
          fc.constant('from'),
          pick(names).map((text) => ({ text })),
        ),
      ),
    }),
  ],
  [8, plain({ method: ['PATCH'], route: 'upload', headers: chunkHeaders, body: bodies })],
  [5, plain({ method: ['PUT'], route: 'upload', query: fc.constant([['digest', right]]), body: bodies })],
  [2, plain({ method: ['GET', 'DELETE'], route: 'upload' })],
  [
    9,
    plain({
      method: ['PUT'],
      route: 'manifest',
      word: fc.oneof(
        pick(tags).map((text) => ({ text })),
        fc.constant(right),
      ),
      body: manifest,
    }),
  ],
  [
    3,
    plain({
      method: ['PUT'],
      route: 'manifest',
      word: fc.constant(right),
      query: fc.array(
        fc.tuple(
          fc.constant('tag'),
          pick(tags).map((text) => ({ text })),
        ),
        { maxLength: 2 },
      ),
      body: manifest,
    }),
  ],
  [6, plain({ method: ['GET', 'GET', 'HEAD'], route: 'manifest', word: manifestWords })],
  [8, plain({ method: ['GET'], route: 'manifest', word: manifestWords, headers: readHeaders })],
  [6, plain({ method: ['GET', 'GET', 'HEAD'], route: 'blob', word: blobWords })],
  [8, plain({ method: ['GET'], route: 'blob', word: blobWords, headers: readHeaders })],
  [2, plain({ method: ['DELETE'], route: 'manifest', word: manifestWords })],
  [2, plain({ method: ['DELETE'], route: 'blob', word: blobWords })],
  [2, plain({ method: ['GET', 'HEAD'], route: 'tags' })],
  [2, plain({ method: ['GET', 'HEAD'], route: 'referrers', word: manifestWords })],
  [1, plain({ method: ['GET', 'HEAD'], route: 'catalog' })],
]

function plain(
  fields: { readonly [Field in keyof Omit<Step, 'method' | 'route'>]?: fc.Arbitrary<Step[Field]> } & {
    readonly method: readonly string[]
    readonly route: Step['route']
  },
): fc.Arbitrary<Step> {
  return fc.record({
    ...plainField,
    ...fields,
    method: pick(fields.method),
    route: fc.constant(fields.route),
  })
}

const anything: fc.Arbitrary<Step> = fc.record(anyField)
const rightly = fc.oneof(...sensible.map(([weight, arbitrary]) => ({ weight, arbitrary })))
const fields = Object.keys(anyField) as (keyof Step)[]

/** Right ones, right ones with one field of another, and anything at all. */
export const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: rightly },
  {
    weight: 3,
    arbitrary: fc
      .tuple(rightly, anything, pick(fields))
      .map(([step, other, field]) => ({ ...step, [field]: other[field] })),
  },
  { weight: 1, arbitrary: anything },
)
