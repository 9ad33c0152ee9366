// Looks into a bucket: it holds what the model says, and what it holds is whole.

import { parseBlobKey } from '../../shared/layout/keys.ts'
import type { Objects } from '../support/bucket/memory-bucket.ts'
import { digestLike, type Model } from './model.ts'

const links: readonly [RegExp, keyof Pick<Model, 'blobs' | 'manifests'>][] = [
  [/^docker\/registry\/v2\/repositories\/(.+)\/_layers\/(\w+)\/(\w+)\/link$/, 'blobs'],
  [/^docker\/registry\/v2\/repositories\/(.+)\/_manifests\/revisions\/(\w+)\/(\w+)\/link$/, 'manifests'],
]

/** What the bucket holds beyond the model, or lacks; undefined where nothing. */
export function storedFault(model: Model, objects: Objects): string | undefined {
  const found = { blobs: new Set<string>(), manifests: new Set<string>() }
  for (const [key, bytes] of objects) {
    const digest = parseBlobKey(key)
    if (digest !== undefined && digestLike(digest, bytes) !== digest) return `${key} holds other bytes`
    if (digest !== undefined && !model.content.has(digest)) return `${key} was not pushed`
    for (const [grammar, kind] of links) {
      const [, name, algorithm, hex] = grammar.exec(key) ?? []
      if (name !== undefined) found[kind].add(`${name}@${algorithm}:${hex}`)
    }
  }
  for (const kind of ['blobs', 'manifests'] as const) {
    const expected = [...model[kind]].flatMap(([name, digests]) => [...digests].map((digest) => `${name}@${digest}`))
    const [more, less] = [
      [...found[kind]].filter((each) => !expected.includes(each)),
      expected.filter((each) => !found[kind].has(each)),
    ]
    if (more.length + less.length > 0) return `${kind} beyond the model: ${more.join()}; missing: ${less.join()}`
  }
  return undefined
}
