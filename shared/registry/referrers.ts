// Referrers: manifests that say something about another one (signatures, attestations, SBOMs).
// Source: OCI distribution-spec 1.1, "Listing Referrers" and "Referrers Tag Schema".

import pMap from 'p-map'
import { dashed, parseReferrerKey, referrerKey, referrersPrefix } from '../layout/keys.ts'
import type { Bucket, BucketReader, Wait } from '../ports/bucket.ts'
import { algorithmOf, type Digest, hexOf, parseDigest } from '../protocol/digest.ts'
import { UpstreamError } from '../protocol/errors.ts'
import { parseJson } from '../protocol/json.ts'
import type { Manifest } from '../protocol/manifest.ts'
import { parseTag, type RepositoryName } from '../protocol/names.ts'
import { hasManifest, readTag } from './links.ts'
import { readManifest } from './read-manifest.ts'

/** Entries a page: each costs two looks into the bucket, and a Worker may make few a request. */
export const referrerPageLimit = 40

/** Bytes; a descriptor holds all annotations of its manifest, which has 4 MiB at most. */
const descriptorLimitBytes = 4 * 1024 * 1024

/** As it is stored and served: an OCI descriptor. */
export interface ReferrerDescriptor {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
  readonly artifactType?: string
  readonly annotations?: Readonly<Record<string, string>>
}

export interface ReferrerPage {
  readonly descriptors: readonly ReferrerDescriptor[]
  /** Where the next page begins; undefined: there is none. */
  readonly next: string | undefined
}

/** Records that a manifest refers to its subject. Counts only once the manifest's revision link exists. */
export async function recordReferrer(
  bucket: Bucket,
  name: RepositoryName,
  subject: Digest,
  referrer: { readonly digest: Digest; readonly sizeBytes: number; readonly manifest: Manifest },
  wait: Wait,
): Promise<void> {
  const { digest, sizeBytes, manifest } = referrer
  const { mediaType, artifactType, annotations } = manifest
  const descriptor: ReferrerDescriptor = {
    mediaType,
    digest,
    size: sizeBytes,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(annotations === undefined ? {} : { annotations }),
  }
  await bucket.write(referrerKey(name, subject, digest), new TextEncoder().encode(JSON.stringify(descriptor)), wait)
}

/**
 * One page of the manifests that refer to `subject`, those that clients without the referrers API listed under the
 * fallback tag among them. A subject that is not there, or that nobody refers to, has none.
 * @param ask.artifactType only those of this type; a page may then hold few or none although there are more
 * @param ask.after the `next` of the page before
 */
export async function listReferrers(
  bucket: BucketReader,
  name: RepositoryName,
  subject: Digest,
  ask: { readonly artifactType: string | undefined; readonly after: string | undefined },
  wait: Wait,
): Promise<ReferrerPage> {
  // By the digest with a dash; undefined where the descriptor is an object of its own, still to be read.
  const found = new Map<string, ReferrerDescriptor | undefined>()
  for (const descriptor of await fallbackReferrers(bucket, name, subject, wait)) {
    const digest = parseDigest(descriptor.digest)
    if (digest !== undefined) found.set(dashed(digest), descriptor)
  }
  for await (const { path } of bucket.list(referrersPrefix(name, subject), '', wait)) {
    const digest = parseReferrerKey(path)
    if (digest !== undefined) found.set(dashed(digest), undefined)
  }
  const rest = [...found.keys()].sort().filter((key) => ask.after === undefined || key > ask.after)
  const page = rest.slice(0, referrerPageLimit)
  const descriptors = await pMap(
    page,
    async (key) => {
      const digest = parseReferrerKey(key)
      if (digest === undefined || !(await hasManifest(bucket, name, digest, wait))) return undefined
      return found.get(key) ?? readDescriptor(bucket, name, subject, digest, wait)
    },
    { concurrency: referrerPageLimit },
  )
  const wanted = descriptors
    .filter((descriptor) => descriptor !== undefined)
    .filter(({ artifactType }) => ask.artifactType === undefined || artifactType === ask.artifactType)
  return { descriptors: wanted, next: rest.length > page.length ? page.at(-1) : undefined }
}

async function readDescriptor(bucket: BucketReader, name: RepositoryName, subject: Digest, digest: Digest, wait: Wait) {
  const key = referrerKey(name, subject, digest)
  const bytes = await bucket.read(key, descriptorLimitBytes, wait)
  if (bytes === undefined) return undefined
  const descriptor = parseDescriptor(parseJson(bytes))
  if (descriptor?.digest !== digest) throw new UpstreamError('bucket', `${key} is damaged; push ${digest} again`)
  return descriptor
}

/** What the index under the fallback tag lists; nothing where there is none or it is something else. */
async function fallbackReferrers(
  bucket: BucketReader,
  name: RepositoryName,
  subject: Digest,
  wait: Wait,
): Promise<ReferrerDescriptor[]> {
  // The hex is cut to 64 digits, so that a sha512 fits into a tag.
  const tag = parseTag(`${algorithmOf(subject)}-${hexOf(subject).slice(0, 64)}`)
  const digest = tag === undefined ? undefined : await readTag(bucket, name, tag, wait)
  const stored = digest === undefined ? undefined : await readManifest(bucket, digest, wait)
  const index = stored === undefined ? undefined : (parseJson(stored.bytes) as { manifests?: unknown } | null)
  return Array.isArray(index?.manifests)
    ? index.manifests.map(parseDescriptor).filter((each) => each !== undefined)
    : []
}

/** Keeps of a descriptor what a referrers list has; undefined where it is none. */
function parseDescriptor(value: unknown): ReferrerDescriptor | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { mediaType, digest, size, artifactType, annotations } = value as Partial<ReferrerDescriptor>
  if (typeof mediaType !== 'string' || typeof digest !== 'string' || typeof size !== 'number') return undefined
  return {
    mediaType,
    digest,
    size,
    ...(typeof artifactType === 'string' ? { artifactType } : {}),
    ...(typeof annotations === 'object' && annotations !== null ? { annotations } : {}),
  }
}
