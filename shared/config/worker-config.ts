// What a worker is configured with: bindings, variables and secrets. Here and not with the worker, since what looks at a
// deployment before it is made goes by the same rules.

import * as v from 'valibot'
import { logLevels } from '../ports/log.ts'
import { flag, httpUrl, keyFolder, networks, originUrl, sharedSecret, wholeNumber } from './rules.ts'

const text = v.pipe(v.string('must be a text'), v.minLength(1, 'must not be empty'))

const isObject = (value: unknown) => typeof value === 'object' && value !== null

const bindingsSchema = v.object({
  /** R2 bucket; where it is not bound, the bucket is read over HTTP at BUCKET_URL. */
  BUCKET: v.optional(v.custom<object>(isObject, 'must be an R2 binding')),
  /** KV namespace for manifests. */
  MANIFESTS: v.optional(v.custom<object>(isObject, 'must be a KV binding')),
  BUCKET_URL: v.optional(httpUrl),
  /** Where in the bucket everything lies, if not at the top. */
  BUCKET_PREFIX: v.optional(keyFolder),
  BUCKET_REGION: v.optional(text, 'auto'),
  BUCKET_ACCESS_KEY_ID: v.optional(text),
  BUCKET_SECRET_ACCESS_KEY: v.optional(text),
  /** Where everyone gets the bucket's blobs without a signature: for redirects while everyone may pull everything. */
  BUCKET_PUBLIC_URL: v.optional(httpUrl),
  ORIGIN_URL: originUrl,
  /** The origin's `edge.key`. */
  EDGE_KEY: v.optional(sharedSecret),
  /** Who may do what comes from the bucket; this edge may refuse more. */
  ACCESS_READ_ONLY: v.optional(flag, false),
  /** Whether it is reached from its own machine alone. */
  ON_LOOPBACK: v.optional(flag, false),
  IPFS_KEEP_FETCHED_DAYS: v.optional(wholeNumber(1, 36_500), 30),
  MEMORY_CACHE_MIB: v.optional(wholeNumber(1, 96), 16),
  BUCKET_TIMEOUT_MS: v.optional(wholeNumber(1, 600_000), 10_000),
  ORIGIN_TIMEOUT_MS: v.optional(wholeNumber(1, 600_000), 60_000),
  TRUSTED_PROXIES: v.optional(networks),
  REQUESTS_PER_MINUTE: v.optional(wholeNumber(0, 1_000_000)),
  LOG_LEVEL: v.optional(v.picklist(logLevels, `must be one of ${logLevels.join(', ')}`), 'info'),
})

/** Names of all bindings, variables and secrets. */
export const workerNames: readonly string[] = Object.keys(bindingsSchema.entries)

/** Those that must not stand in a file. */
export const workerSecrets = ['BUCKET_SECRET_ACCESS_KEY', 'EDGE_KEY'] as const

const workerConfigSchema = v.pipe(
  bindingsSchema,
  v.partialCheck(
    [['BUCKET'], ['BUCKET_URL']],
    (env) => env.BUCKET !== undefined || env.BUCKET_URL !== undefined,
    'BUCKET (R2 binding) or BUCKET_URL must be set',
  ),
  v.partialCheck(
    [['BUCKET_URL'], ['BUCKET_ACCESS_KEY_ID'], ['BUCKET_SECRET_ACCESS_KEY']],
    (env) =>
      env.BUCKET_URL === undefined ||
      (env.BUCKET_ACCESS_KEY_ID !== undefined && env.BUCKET_SECRET_ACCESS_KEY !== undefined),
    'with BUCKET_URL, BUCKET_ACCESS_KEY_ID and the secret BUCKET_SECRET_ACCESS_KEY must be set',
  ),
)

export type WorkerSettings = v.InferOutput<typeof workerConfigSchema>

/** The settings, or what is wrong: each fault with the name of what it is about, never with a value. */
export function readWorkerSettings(env: object): WorkerSettings | { readonly faults: readonly string[] } {
  // A variable that must be set and is not is reported like an empty one: with what it must be.
  const result = v.safeParse(workerConfigSchema, { ORIGIN_URL: '', ...env })
  if (result.success) return result.output
  return { faults: result.issues.map((issue) => `${v.getDotPath(issue) ?? 'configuration'}: ${issue.message}`) }
}
