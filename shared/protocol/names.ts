// Names that come from strangers: repositories, tags, references. Parsed once at the boundary, trusted inside.
// Source: OCI distribution-spec 1.1, "Pulling manifests" (the two grammars) and DESIGN "Content names".

import type { Brand } from './brand.ts'
import type { Cid } from './cid.ts'
import { type Digest, parseDigest } from './digest.ts'

export type RepositoryName = Brand<string, 'RepositoryName'>
export type Tag = Brand<string, 'Tag'>

/** What stands behind `/manifests/`. */
export type Reference =
  | { readonly kind: 'tag'; readonly tag: Tag }
  | { readonly kind: 'digest'; readonly digest: Digest }

const component = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*'
const repositoryGrammar = new RegExp(`^${component}(?:/${component})*$`)
const tagGrammar = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/

/** Bytes. Many clients limit host and name together to 255, so no longer name could be used. */
const repositoryNameLimit = 255

export function parseRepositoryName(text: string): RepositoryName | undefined {
  if (text.length > repositoryNameLimit || !repositoryGrammar.test(text)) return undefined
  return text as RepositoryName
}

export function parseTag(text: string): Tag | undefined {
  return tagGrammar.test(text) ? (text as Tag) : undefined
}

/** A tag cannot hold a colon and a digest must, so the two never meet. */
export function parseReference(text: string): Reference | undefined {
  const digest = parseDigest(text)
  if (digest !== undefined) return { kind: 'digest', digest }
  const tag = parseTag(text)
  return tag === undefined ? undefined : { kind: 'tag', tag }
}

/** A name that stands for content: the CID of an image's root, or the hex of a manifest's digest. */
export type ContentName =
  | { readonly kind: 'cid'; readonly root: Cid }
  | { readonly kind: 'hex'; readonly digest: Digest }

/**
 * What a name stands for, if it is a content name: one component that has the shape of an image root's CID (CIDv1,
 * dag-pb, sha2-256, base32) or of a manifest digest's hex. Such names are read-only views of published content; nobody
 * pushes to them. The shape decides, also where the base32 is not canonical: a look-alike of a CID must not be anyone's
 * to push.
 */
export function parseContentName(name: RepositoryName): ContentName | undefined {
  const root = parseRootCid(name)
  if (root !== undefined) return { kind: 'cid', root }
  const digest = parseDigest(`${name.length === 64 ? 'sha256' : 'sha512'}:${name}`)
  return digest === undefined ? undefined : { kind: 'hex', digest }
}

export function isContentName(name: RepositoryName): boolean {
  return parseContentName(name) !== undefined
}

/** The CID of an image's root in the one spelling that a name can have. */
export function parseRootCid(text: string): Cid | undefined {
  return /^bafybei[a-z2-7]{52}$/.test(text) ? (text as Cid) : undefined
}
