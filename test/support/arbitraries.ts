// What fast-check draws from in tests, and parsed values for tables. Names are built from the grammar here,
// apart from the parser, so that a parser that takes too little is found as well.

import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import { type Digest, parseDigest } from '../../shared/protocol/digest.ts'
import { parseRepositoryName, parseTag, type RepositoryName, type Tag } from '../../shared/protocol/names.ts'

/** Any one of these ASCII characters. */
export function charactersOf(characters: string): fc.Arbitrary<string> {
  return fc.constantFrom(...characters.split(''))
}

const alphanumeric = fc.string({ unit: charactersOf('abcxyz0189'), minLength: 1, maxLength: 5 })
const separator = fc.constantFrom('.', '_', '__', '-', '--', '---')

const component = fc
  .tuple(alphanumeric, fc.array(fc.tuple(separator, alphanumeric), { maxLength: 3 }))
  .map(([first, rest]) => first + rest.flat().join(''))

/** Words that also stand in routes. */
export const routeWords = [
  'blobs',
  'uploads',
  'manifests',
  'tags',
  'list',
  'token',
  'v2',
  'referrers',
  'latest',
] as const

/** Well-formed names, many of them made of the words that stand in routes. */
export const repositoryNames: fc.Arbitrary<RepositoryName> = fc
  .array(fc.oneof(component, fc.constantFrom(...routeWords)), { minLength: 1, maxLength: 6 })
  .map((components) => repository(components.join('/')))

const tagStart = charactersOf('abzABZ059_')
const tagRest = fc.string({ unit: charactersOf('aZ09._-'), maxLength: 20 })

export const tags: fc.Arbitrary<Tag> = fc.oneof(
  fc.tuple(tagStart, tagRest).map(([first, rest]) => tag(first + rest)),
  fc.constantFrom(...routeWords, '1.0', '1.0-alpine', '1.0.1', '1.0_1', '1', '10', 'V1', 'v1').map(tag),
)

export const digests: fc.Arbitrary<Digest> = fc
  .tuple(fc.constantFrom('sha256', 'sha512'), fc.integer())
  .map(([algorithm, seed]) => digest(`${algorithm}:${createHash(algorithm).update(String(seed)).digest('hex')}`))

/** The parsed value, or a failure of the test: these throw where production code would refuse. */
export function repository(text: string): RepositoryName {
  return parsed(text, parseRepositoryName(text))
}

export function tag(text: string): Tag {
  return parsed(text, parseTag(text))
}

export function digest(text: string): Digest {
  return parsed(text, parseDigest(text))
}

/** The sha256 digest of content, by Node's own crypto. */
export function sha256(content: string | Uint8Array): Digest {
  return digest(`sha256:${createHash('sha256').update(content).digest('hex')}`)
}

function parsed<Value>(text: string, value: Value | undefined): Value {
  if (value === undefined) throw new Error(`the test's own ${JSON.stringify(text)} was not parsed`)
  return value
}
