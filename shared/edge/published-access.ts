// How an edge knows who may do what, and whose token is good: by what the origin published in the bucket, without a call
// to it. docs/decisions/0012-edges-take-rules-from-the-bucket.md says why so.

import { defaultService, hasUsers } from '../auth/access.ts'
import {
  type AccessDocument,
  parseAccessDocument,
  type PublishedRules,
  readAccessBytes,
} from '../auth/access-document.ts'
import type { Authentication } from '../auth/authentication.ts'
import type { CurrentPolicy, Policy } from '../auth/policy.ts'
import { importPublicKey, isInUse, type PublicKey } from '../auth/public-key.ts'
import { createTokenVerifier, type VerifyingKeys } from '../auth/token.ts'
import { accessKey } from '../layout/keys.ts'
import type { AccessCopy } from '../ports/access-copy.ts'
import type { BucketReader, Wait } from '../ports/bucket.ts'
import type { Clock } from '../ports/clock.ts'
import { deadline } from '../concurrency/deadline.ts'
import type { Log } from '../ports/log.ts'
import { orAborted } from '../concurrency/or-aborted.ts'
import type { ReadinessCheck } from '../ports/readiness.ts'
import { UpstreamError } from '../protocol/errors.ts'

/** Milliseconds after which the bucket is looked into again: so long may what was taken away still be had. */
const freshMs = 60_000

/** Milliseconds after a look that failed. */
const retryMs = 5000

/** Milliseconds between two looks for the sake of keys that are not known: a stranger's tokens may name any. */
const unknownMs = 1000

export interface PublishedAccessDeps {
  readonly bucket: BucketReader
  /** For an edge that starts while the bucket is in error; undefined where there is nowhere to keep one. */
  readonly copy?: AccessCopy | undefined
  readonly clock: Clock
  readonly log: Log
  /** Longest time in milliseconds for a look into the bucket, and for one at the copy. */
  readonly timeoutMs: number
  /** Whether this edge itself refuses pushes and deletes to everyone. */
  readonly readOnly: boolean
  /** Whether it is reached from its own machine alone: others do not follow rules that are meant for that. */
  readonly onLoopback: boolean
}

/** One version of what was published. */
interface Known {
  readonly text: string
  readonly policy: Policy
  readonly keys: ReadonlyMap<string, { readonly published: PublicKey; readonly key: CryptoKey }>
}

/** Rules and keys as they were last read. While they cannot be read, the last known ones go on. */
export function createPublishedAccess(deps: PublishedAccessDeps): CurrentPolicy {
  const { bucket, copy, clock, log, timeoutMs } = deps
  let known: Known | undefined
  /** The look that found what is known. One that began earlier and ends later brings what is older. */
  let knownFrom = 0
  let looks = 0
  let lookedMs = -Infinity
  let dueMs = -Infinity
  let copied: string | undefined
  let uncopied: string | undefined
  let authentication: Authentication | undefined

  const keys: VerifyingKeys = {
    async find(id, wait) {
      const now = clock.now()
      const isUnknown = known?.keys.has(id) !== true && now - lookedMs >= unknownMs
      const last = known === undefined || now >= dueMs || isUnknown ? await look(wait) : known
      const found = last.keys.get(id)
      return found !== undefined && isInUse(found.published, clock.now()) ? found.key : undefined
    },
  }

  /** The tokens that were verified stay remembered, whatever else changes. */
  function authenticationOf(rules: PublishedRules): Authentication | undefined {
    if (!hasUsers(rules)) return undefined
    const service = rules.service ?? defaultService
    if (authentication?.service !== service)
      authentication = { service, tokens: createTokenVerifier({ keys, service, clock }) }
    return authentication
  }

  async function understood(text: string): Promise<Known> {
    // The same rules are the same object: what was found under them is remembered.
    if (known?.text === text) return known
    const document = parseAccessDocument(new TextEncoder().encode(text))
    if (document.loopback && !deps.onLoopback)
      throw new UpstreamError(
        'bucket',
        `${accessKey} lets everyone do what nobody said, for an origin that is reached from its own machine alone; set access.anonymous and access.delete at the origin, and restart it`,
      )
    const access = deps.readOnly ? { ...document.rules, readOnly: true } : document.rules
    return { text, policy: { access, auth: authenticationOf(document.rules) }, keys: await importKeys(document) }
  }

  async function within<Result>(what: string, wait: Wait, work: (limit: Wait) => Promise<Result>): Promise<Result> {
    const tooLate = () => new UpstreamError('bucket', `${what}: no answer within ${timeoutMs} ms`)
    const limit = deadline(clock, timeoutMs, wait.signal, tooLate)
    try {
      return await orAborted(limit.signal, work(limit))
    } finally {
      limit.clear()
    }
  }

  async function fromBucket(wait: Wait): Promise<Known> {
    const bytes = await within(accessKey, wait, (limit) => readAccessBytes(bucket, limit))
    if (bytes === undefined)
      throw new UpstreamError('bucket', `${accessKey} is not there yet; start the origin once, which writes it`)
    return understood(new TextDecoder().decode(bytes))
  }

  /** Undefined where there is none that is any good. */
  async function fromCopy(wait: Wait): Promise<Known | undefined> {
    if (copy === undefined) return undefined
    try {
      const text = await within(`the copy of ${accessKey}`, wait, () => copy.read())
      copied = text
      return text === undefined ? undefined : await understood(text)
    } catch (error) {
      log.warn('the copy of the access rules is of no use', {}, error)
      return undefined
    }
  }

  /** Each request looks for itself: in workerd one may not wait for what another began. */
  async function look(wait: Wait): Promise<Known> {
    const turn = ++looks
    // From here on the others go on with what is known.
    lookedMs = clock.now()
    dueMs = lookedMs + freshMs
    try {
      return take(await fromBucket(wait), turn)
    } catch (error) {
      // Nobody looked, then.
      if (wait.signal.aborted) dueMs = -Infinity
      wait.signal.throwIfAborted()
      dueMs = clock.now() + retryMs
      const last = known ?? (await fromCopy(wait))
      if (last === undefined) throw error
      log.warn('the access rules could not be read; the last known ones go on', {}, error)
      return known ?? take(last, turn)
    }
  }

  function take(found: Known, turn: number): Known {
    if (known !== undefined && turn < knownFrom) return known
    knownFrom = turn
    known = found
    uncopied = copy === undefined || found.text === copied ? undefined : found.text
    return found
  }

  async function keepCopy(copies: AccessCopy, text: string): Promise<void> {
    // Isolates are many, and KV takes one write a second of a key.
    if ((await copies.read()) !== text) await copies.keep(text)
    copied = text
  }

  async function refreshed(wait: Wait, inBackground?: (work: Promise<unknown>) => void): Promise<Policy> {
    const { policy } = known === undefined || clock.now() >= dueMs ? await look(wait) : known
    if (copy !== undefined && uncopied !== undefined && inBackground !== undefined) {
      inBackground(keepCopy(copy, uncopied))
      uncopied = undefined
    }
    return policy
  }

  return (wait, inBackground) =>
    known !== undefined && clock.now() < dueMs && uncopied === undefined ? known.policy : refreshed(wait, inBackground)
}

async function importKeys({ keys }: AccessDocument): Promise<Known['keys']> {
  try {
    const imported = keys.map(
      async (each) => [each.kid, { published: each, key: await importPublicKey(each) }] as const,
    )
    return new Map(await Promise.all(imported))
  } catch (error) {
    throw new UpstreamError('bucket', `${accessKey} has a key that is none`, { cause: error })
  }
}

/** An edge without any rules serves nobody. */
export function accessKnown(policy: CurrentPolicy): ReadinessCheck {
  return {
    name: 'access_rules',
    async check(wait) {
      await policy(wait)
    },
  }
}
