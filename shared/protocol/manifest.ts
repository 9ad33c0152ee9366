// Manifests: what kind a document is, what it refers to, and whether it may be pushed.
// Sources: OCI image-spec 1.1 (manifest, index, descriptor), Docker image manifest v2 schema 2.

import * as v from 'valibot'
import { type Digest, parseDigest } from './digest.ts'
import { OciError } from './errors.ts'

/** Largest manifest that is taken or served, in bytes; the size the OCI distribution-spec asks registries to allow. */
export const manifestLimitBytes = 4 * 1024 * 1024

const ociManifest = 'application/vnd.oci.image.manifest.v1+json'
export const ociIndex = 'application/vnd.oci.image.index.v1+json'
const dockerManifest = 'application/vnd.docker.distribution.manifest.v2+json'
const dockerList = 'application/vnd.docker.distribution.manifest.list.v2+json'
const dockerSchema1 = 'application/vnd.docker.distribution.manifest.v1+prettyjws'

const shapes: Readonly<Record<string, 'image' | 'index'>> = {
  [ociManifest]: 'image',
  [dockerManifest]: 'image',
  [ociIndex]: 'index',
  [dockerList]: 'index',
}

/** The media types that a push may have. */
export const manifestMediaTypes: readonly string[] = Object.keys(shapes)

/** A reference from one document to another. */
export interface Descriptor {
  readonly mediaType: string
  readonly digest: Digest
  readonly sizeBytes: number
  /** Whether the content may be fetched from elsewhere (`urls`), so that a registry need not have it. */
  readonly hasUrls: boolean
}

/**
 * What a manifest is made of. A blob must be there; so must not a manifest that an index lists (sparse index). The entry
 * of an index whose media type is no manifest's is a blob (BuildKit caches).
 */
export interface Part extends Descriptor {
  readonly kind: 'manifest' | 'blob'
}

/** A manifest that was read and found sound. Artifacts are image manifests here: they differ in no rule. */
export interface Manifest {
  readonly mediaType: string
  /** What it is made of, in its order: config and layers, or the entries of an index. */
  readonly parts: readonly Part[]
  /** What it says something about: an image that it signs, attests or describes. Need not exist. */
  readonly subject: Digest | undefined
  /** Of an artifact; of an image without it, the config's media type stands in (distribution-spec, "Pushing Manifests with Subject"). */
  readonly artifactType: string | undefined
  readonly annotations: Readonly<Record<string, string>> | undefined
}

const mediaTypeSchema = v.pipe(v.string(), v.regex(/^[\w.!#$&^+-]+\/[\w.!#$&^+-]+$/, 'is no media type'))
const digestSchema = v.pipe(
  v.string(),
  v.transform((text) => parseDigest(text)),
  v.custom<Digest>((digest) => digest !== undefined, 'is no sha256 or sha512 digest'),
)
const descriptorSchema = v.pipe(
  v.looseObject({
    mediaType: mediaTypeSchema,
    digest: digestSchema,
    size: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
    urls: v.nullish(v.array(v.string())),
  }),
  v.transform(({ mediaType, digest, size, urls }): Descriptor => ({
    mediaType,
    digest,
    sizeBytes: size,
    hasUrls: (urls ?? []).length > 0,
  })),
)
const common = {
  schemaVersion: v.literal(2),
  mediaType: v.optional(mediaTypeSchema),
  artifactType: v.nullish(v.string()),
  subject: v.nullish(descriptorSchema),
  annotations: v.nullish(v.record(v.string(), v.string())),
}
const imageSchema = v.looseObject({ ...common, config: descriptorSchema, layers: v.array(descriptorSchema) })
const indexSchema = v.looseObject({ ...common, manifests: v.array(descriptorSchema) })

/**
 * Reads a pushed manifest.
 * @param contentType of the push, parameters and all; undefined where the client sent none
 * @throws OciError MANIFEST_INVALID: no JSON, no manifest we know, or a Content-Type that says otherwise
 */
export function parseManifest(bytes: Uint8Array, contentType: string | undefined): Manifest {
  const document = parseJson(bytes)
  const mediaType = mediaTypeOf(document)
  const shape = shapes[mediaType]
  if (shape === undefined) {
    throw new OciError(
      'MANIFEST_INVALID',
      `media type ${mediaType} is not taken; one of ${manifestMediaTypes.join(', ')} is`,
    )
  }
  const sentAs = contentType?.split(';')[0]?.trim().toLowerCase()
  if (sentAs !== undefined && sentAs !== '' && sentAs !== mediaType) {
    throw new OciError('MANIFEST_INVALID', `the Content-Type is ${sentAs}, but the manifest is ${mediaType}`)
  }
  if (shape === 'image') {
    if (isObject(document) && 'manifests' in document)
      throw new OciError('MANIFEST_INVALID', 'an image manifest has no manifests')
    const image = check(imageSchema, document)
    // An empty artifactType is as good as none.
    const artifactType = image.artifactType || image.config.mediaType
    const parts = [image.config, ...image.layers].map((part): Part => ({ ...part, kind: 'blob' }))
    return { mediaType, parts, ...said(image, artifactType) }
  }
  if (isObject(document) && ('layers' in document || 'config' in document))
    throw new OciError('MANIFEST_INVALID', 'an index has neither config nor layers')
  const index = check(indexSchema, document)
  const kindOf = (entry: Descriptor) => (shapes[entry.mediaType] === undefined ? 'blob' : 'manifest')
  const parts = index.manifests.map((entry): Part => ({ ...entry, kind: kindOf(entry) }))
  return { mediaType, parts, ...said(index, index.artifactType || undefined) }
}

/** What image and index say of themselves alike. */
function said(
  document: v.InferOutput<typeof imageSchema> | v.InferOutput<typeof indexSchema>,
  artifactType: string | undefined,
) {
  return { artifactType, subject: document.subject?.digest, annotations: document.annotations ?? undefined }
}

/**
 * The media type to serve a stored manifest with, from its bytes alone, because a bucket that others wrote records it
 * nowhere else. Lenient: whatever was stored is served, down to Docker's schema 1.
 */
export function storedMediaType(bytes: Uint8Array): string {
  try {
    return mediaTypeOf(parseJson(bytes))
  } catch {
    return 'application/json'
  }
}

/** The document's own `mediaType`, else what its fields say (image-spec: the field is optional). */
function mediaTypeOf(document: unknown): string {
  if (!isObject(document)) throw new OciError('MANIFEST_INVALID', 'a manifest is a JSON object')
  if (typeof document['mediaType'] === 'string' && v.is(mediaTypeSchema, document['mediaType']))
    return document['mediaType']
  if (document['schemaVersion'] === 1) return dockerSchema1
  if ('manifests' in document) return ociIndex
  if ('config' in document && 'layers' in document) return ociManifest
  throw new OciError('MANIFEST_INVALID', 'neither mediaType, nor manifests, nor config and layers are there')
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch (error) {
    throw new OciError(
      'MANIFEST_INVALID',
      `the manifest is no JSON: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function check<Schema extends v.GenericSchema>(schema: Schema, document: unknown): v.InferOutput<Schema> {
  const result = v.safeParse(schema, document)
  if (result.success) return result.output
  const faults = result.issues.slice(0, 5).map((issue) => `${v.getDotPath(issue) ?? 'manifest'}: ${issue.message}`)
  throw new OciError('MANIFEST_INVALID', faults.join('; '))
}
