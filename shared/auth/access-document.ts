// What the origin tells edges: who may do what, and the public keys of tokens. One object of the bucket, so that an edge
// never has the one of now with the other of before.

import * as v from 'valibot'
import { accessKey } from '../layout/keys.ts'
import type { Bucket, BucketReader, Wait } from '../ports/bucket.ts'
import { UpstreamError } from '../protocol/errors.ts'
import { parseJson } from '../protocol/json.ts'
import { accessRulesSchema } from './access.ts'
import { type PublicKey, publicKeySchema } from './public-key.ts'

/** Each process has its own: an origin that is read-only writes nothing, this object neither. */
const { readOnly: _, ...ruleEntries } = accessRulesSchema.entries

/**
 * What is not known here is refused and not passed over: a newer origin may mean to close something by it.
 */
const documentSchema = v.strictObject({
  version: v.literal(1),
  /** Whether the rules allow what nobody said, because the origin is reached from its own machine alone. */
  loopback: v.optional(v.boolean(), false),
  rules: v.strictObject(ruleEntries),
  keys: v.array(publicKeySchema),
})

type StoredDocument = v.InferOutput<typeof documentSchema>

export type AccessDocument = Omit<StoredDocument, 'version'>

/** The rules as edges get them. */
export type PublishedRules = AccessDocument['rules']

/** Bytes; a rule or a key has about 200. */
const documentLimitBytes = 1024 * 1024

/** The object's bytes; undefined where no origin wrote it yet. */
export function readAccessBytes(bucket: BucketReader, wait: Wait): Promise<Uint8Array | undefined> {
  return bucket.read(accessKey, documentLimitBytes, wait)
}

/** @throws UpstreamError where it is damaged, or of a newer version */
export function parseAccessDocument(bytes: Uint8Array): AccessDocument {
  const result = v.safeParse(documentSchema, parseJson(bytes))
  if (result.success) return result.output
  const where = result.issues.map((issue) => v.getDotPath(issue) ?? 'all of it').join(', ')
  throw new UpstreamError(
    'bucket',
    `${accessKey} is not understood (${where}): it is damaged, or of another version; upgrade what reads it, or restart the origin, which writes it anew`,
  )
}

/**
 * Puts rules and keys where edges look for them; nothing is written where they are there.
 *
 * The bucket has no conditional writes: who writes at the same time, another origin or a change of the key, may be
 * overwritten. What is lost so comes back when an origin starts again, which always writes all of its own.
 * @returns whether anything was written
 * @throws Error where there is more than edges would read
 */
export async function publishAccess(bucket: Bucket, document: AccessDocument, wait: Wait): Promise<boolean> {
  const bytes = new TextEncoder().encode(accessDocumentText(document))
  if (bytes.byteLength > documentLimitBytes)
    throw new Error(
      `the access rules have ${bytes.byteLength} bytes, and edges read no more than ${documentLimitBytes}`,
    )
  if (await isPublished(bucket, document, wait)) return false
  await bucket.write(accessKey, bytes, wait)
  return true
}

/** Whether edges are told the very same. */
export async function isPublished(bucket: BucketReader, document: AccessDocument, wait: Wait): Promise<boolean> {
  const there = await readAccessBytes(bucket, wait)
  return there !== undefined && new TextDecoder().decode(there) === accessDocumentText(document)
}

/** Whether two say the same of who may do what, whatever their keys. */
export function haveSameRules(one: AccessDocument, other: AccessDocument): boolean {
  return accessDocumentText({ ...one, keys: [] }) === accessDocumentText({ ...other, keys: [] })
}

/** What edges get. Parsed before, so that the same is the same text, whoever made it. */
export function accessDocumentText(document: AccessDocument): string {
  return JSON.stringify(v.parse(documentSchema, { ...document, version: 1 } satisfies StoredDocument))
}

/**
 * Puts other keys beside the rules that are there. Where there are none yet the origin puts both there when it starts.
 * The rules of an origin that starts at the same moment may be overwritten by those before; see `publishAccess`.
 * @throws UpstreamError where the rules cannot be read
 */
export async function publishKeys(bucket: Bucket, keys: readonly PublicKey[], wait: Wait): Promise<void> {
  const there = await readAccessBytes(bucket, wait)
  if (there !== undefined) await publishAccess(bucket, { ...parseAccessDocument(there), keys: [...keys] }, wait)
}
