// Every key of the bucket is built and parsed here and nowhere else. docs/storage-layout.md is this file in words.
// The `docker/registry/v2` part is the layout of CNCF Distribution v2, so that it can serve our bucket and we its.

import type { Brand } from '../protocol/brand.ts'
import type { Cid } from '../protocol/cid.ts'
import { algorithmOf, type Digest, type DigestAlgorithm, hexOf, parseDigest } from '../protocol/digest.ts'
import { parseRepositoryName, parseTag, type RepositoryName, type Tag } from '../protocol/names.ts'

/** The key of an object in the bucket: segments of ASCII letters, digits and `._-`, joined by single slashes. */
export type Key = Brand<string, 'Key'>

/** The beginning of keys; ends with a slash, so that `a/` never matches `ab/…`. */
export type KeyPrefix = Brand<string, 'KeyPrefix'>

const root = 'docker/registry/v2'

/** No segment begins with a dot: that keeps `.` and `..` out, and leaves such names to adapters. */
const keyGrammar = /^[A-Za-z0-9_-][A-Za-z0-9._-]*(?:\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$/

const blobKeyGrammar = new RegExp(`^${root}/blobs/([a-z0-9]+)/([0-9a-f]{2})/([0-9a-f]+)/data$`)

/** The bytes of a blob or manifest. */
export function blobKey(digest: Digest): Key {
  return `${root}/blobs/${algorithmOf(digest)}/${hexOf(digest).slice(0, 2)}/${hexOf(digest)}/data` as Key
}

/** The digest whose bytes lie under `key`; undefined where it is no key of a blob. */
export function parseBlobKey(key: string): Digest | undefined {
  const match = blobKeyGrammar.exec(key)
  if (!match || !match[3]?.startsWith(match[2] ?? '')) return undefined
  return parseDigest(`${match[1]}:${match[3]}`)
}

/** A blob belongs to a repository. */
export function layerLinkKey(name: RepositoryName, digest: Digest): Key {
  return `${repository(name)}/_layers/${algorithmOf(digest)}/${hexOf(digest)}/link` as Key
}

/** Whether a key is that of a link by which a repository has a blob. */
export function isLayerLinkKey(key: string): boolean {
  return /\/_layers\/[a-z0-9]+\/[0-9a-f]+\/link$/.test(key)
}

/** A manifest belongs to a repository. */
export function revisionLinkKey(name: RepositoryName, digest: Digest): Key {
  return `${repository(name)}/_manifests/revisions/${algorithmOf(digest)}/${hexOf(digest)}/link` as Key
}

/** The manifests of a repository under one algorithm: one folder a digest. */
export function revisionsPrefix(name: RepositoryName, algorithm: DigestAlgorithm): KeyPrefix {
  return `${repository(name)}/_manifests/revisions/${algorithm}/` as KeyPrefix
}

/** What a tag names now. */
export function tagLinkKey(name: RepositoryName, tag: Tag): Key {
  return `${tagsPrefix(name)}${tag}/current/link` as Key
}

/** That a tag has named this manifest, now or before. */
export function tagIndexLinkKey(name: RepositoryName, tag: Tag, digest: Digest): Key {
  return `${tagsPrefix(name)}${tag}/index/${algorithmOf(digest)}/${hexOf(digest)}/link` as Key
}

/** What a tag has named, one folder an algorithm, in it one folder a digest. */
export function tagIndexPrefix(name: RepositoryName, tag: Tag): KeyPrefix {
  return `${tagsPrefix(name)}${tag}/index/` as KeyPrefix
}

/** One folder a tag. */
export function tagsPrefix(name: RepositoryName): KeyPrefix {
  return `${repository(name)}/_manifests/tags/` as KeyPrefix
}

/** The tag whose folder a listing of `tagsPrefix` gave; undefined for what is no tag. */
export function parseTagFolder(name: RepositoryName, folder: string): Tag | undefined {
  const prefix = tagsPrefix(name)
  return folder.startsWith(prefix) && folder.endsWith('/') ? parseTag(folder.slice(prefix.length, -1)) : undefined
}

/** The link in a folder that a listing gave. */
export function linkIn(folder: string): Key {
  return `${folder}link` as Key
}

/** One object for each manifest that refers to `subject`. */
export function referrersPrefix(name: RepositoryName, subject: Digest): KeyPrefix {
  return `mirrorball/referrers/${name}/_s/${algorithmOf(subject)}/${hexOf(subject)}/` as KeyPrefix
}

/** The descriptor of a manifest that refers to `subject`. */
export function referrerKey(name: RepositoryName, subject: Digest, digest: Digest): Key {
  return `${referrersPrefix(name, subject)}${dashed(digest)}` as Key
}

/** The manifest that a key of `referrersPrefix` stands for; undefined where it is none. */
export function parseReferrerKey(key: string): Digest | undefined {
  return parseDashed(key.slice(key.lastIndexOf('/') + 1))
}

/** A digest where a colon cannot stand: `<alg>-<hex>`. */
export function dashed(digest: Digest): string {
  return digest.replace(':', '-')
}

export function parseDashed(text: string): Digest | undefined {
  return parseDigest(text.replace('-', ':'))
}

/** Under it one folder for each first component of a repository's name. */
export const repositoriesPrefix = `${root}/repositories/` as KeyPrefix

/** The name of the repository whose `_manifests/` folder a listing gave; undefined where it is something else. */
export function parseManifestsFolder(folder: string): RepositoryName | undefined {
  const match = /^(.+)\/_manifests\/$/.exec(folder.slice(repositoriesPrefix.length))
  return match?.[1] === undefined ? undefined : parseRepositoryName(match[1])
}

/** What an image's root names. */
export function imageKey(root: Cid): Key {
  return `mirrorball/cids/${root}` as Key
}

/** One object for each root that is known. */
export const imagesPrefix = 'mirrorball/cids/' as KeyPrefix

/** The root of the image that a manifest is. */
export function rootKey(manifest: Digest): Key {
  return `mirrorball/roots/${algorithmOf(manifest)}/${hexOf(manifest)}` as Key
}

/** The leaves of the file that a blob is on IPFS. */
export function leavesKey(blob: Digest): Key {
  return `mirrorball/leaves/${algorithmOf(blob)}/${hexOf(blob)}` as Key
}

/** One object for each repository that holds a manifest whose image has a root. */
export function viewPrefix(manifest: Digest): KeyPrefix {
  return `mirrorball/views/${algorithmOf(manifest)}/${hexOf(manifest)}/` as KeyPrefix
}

/** That a repository holds a manifest. Names have no capitals, so that one can stand for the slash. */
export function viewKey(manifest: Digest, name: RepositoryName): Key {
  return `${viewPrefix(manifest)}${name.replaceAll('/', 'S')}` as Key
}

/** The repository that a key of `viewPrefix` stands for; undefined where it is none. */
export function parseViewKey(key: string): RepositoryName | undefined {
  return parseRepositoryName(key.slice(key.lastIndexOf('/') + 1).replaceAll('S', '/'))
}

/** That content came from outside, and when last. */
export function fetchedKey(digest: Digest): Key {
  return `mirrorball/fetched/${algorithmOf(digest)}/${hexOf(digest)}` as Key
}

/** That content was taken down. */
export function blockedKey(digest: Digest): Key {
  return `${blockedPrefix(algorithmOf(digest))}${hexOf(digest)}` as Key
}

/** That the image of a root was taken down, which may never have been here. */
export function blockedRootKey(root: Cid): Key {
  return `${blockedPrefix('cids')}${root}` as Key
}

/** One folder for each kind of what was taken down. */
export const allBlockedPrefix = 'mirrorball/blocked/' as KeyPrefix

/** One object for each digest, or root, that was taken down. */
export function blockedPrefix(kind: DigestAlgorithm | 'cids'): KeyPrefix {
  return `${allBlockedPrefix}${kind}/` as KeyPrefix
}

/** What edges need to know about access: the public keys of tokens. */
export const accessKey = 'mirrorball/access.json' as Key

/** The version of what lies under `mirrorball/`. */
export const formatKey = 'mirrorball/format' as Key

/** One folder for each open upload. */
export const uploadsPrefix = 'mirrorball/uploads/' as KeyPrefix

/** All that belongs to an open upload. */
export function uploadPrefix(uploadId: string): KeyPrefix {
  return `${uploadsPrefix}${uploadId}/` as KeyPrefix
}

/** Bytes of an open upload that begin at `offset`. */
export function uploadKey(uploadId: string, offset: number): Key {
  return `${uploadPrefix(uploadId)}${offset}` as Key
}

/** Where the bytes begin that a key of `uploadPrefix` stands for; undefined where it stands for something else. */
export function parseUploadOffset(key: string): number | undefined {
  const match = /\/(0|[1-9]\d{0,15})$/.exec(key)
  return match ? Number(match[1]) : undefined
}

/** That an upload was begun, in a bucket where it may have no bytes yet. */
export function uploadBegunKey(uploadId: string): Key {
  return `${uploadPrefix(uploadId)}begun` as Key
}

/** A multipart upload of S3 by which an upload is being published. */
export function uploadMultipartKey(uploadId: string, unique: string): Key {
  return `${uploadPrefix(uploadId)}multipart-${unique}` as Key
}

/** Whether a key of `uploadPrefix` is one of `uploadMultipartKey`. */
export function isUploadMultipartKey(key: string): boolean {
  return /\/multipart-[^/]+$/.test(key)
}

/** An object that is written only to see what the bucket's conditions are worth. */
export function probeKey(unique: string): Key {
  return `mirrorball/probes/${unique}` as Key
}

/** The content of a link file is the digest and nothing else. */
export function linkContent(digest: Digest): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(digest)
}

/** The digest a link file names; undefined where it is damaged. */
export function parseLink(bytes: Uint8Array): Digest | undefined {
  return parseDigest(new TextDecoder().decode(bytes).trim())
}

function repository(name: RepositoryName): string {
  return `${root}/repositories/${name}`
}

/** The key in a path that a stranger sent (the bucket's HTTP face); undefined where it is not well-formed. */
export function parseKey(path: string): Key | undefined {
  if (path.length > 1024 || !keyGrammar.test(path)) return undefined
  return path as Key
}

/** The prefix in a listing that a stranger asked for: empty, or well-formed segments each with its slash. */
export function parseKeyPrefix(path: string): KeyPrefix | undefined {
  return path === '' || (path.endsWith('/') && parseKey(path.slice(0, -1)) !== undefined)
    ? (path as KeyPrefix)
    : undefined
}
