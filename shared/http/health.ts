// `/livez` and `/readyz`, for whoever starts, watches and routes to the processes. They lie outside of `/v2/`, are no
// part of the registry API, and everyone may ask them: they say what works, never why it does not.

import { formatKey } from '../layout/keys.ts'
import type { BucketReader } from '../ports/bucket.ts'
import type { Clock } from '../ports/clock.ts'
import { deadline } from '../concurrency/deadline.ts'
import type { Log } from '../ports/log.ts'
import { orAborted } from '../concurrency/or-aborted.ts'
import type { ReadinessCheck } from '../ports/readiness.ts'
import { OciError, UpstreamError } from '../protocol/errors.ts'
import type { Answer } from './answer.ts'
import { jsonAnswer } from './json-answer.ts'
import { errorAnswer, retryAfterSeconds } from './write-error.ts'

/** Milliseconds for all checks of one answer: whoever asks has a short deadline too. */
const checkTimeoutMs = 2000

/** Milliseconds an outcome is given out again, so that probing costs the bucket the same whoever asks, and how often. */
const rememberMs = 1000

type State = 'ok' | 'failed' | 'timeout'

export interface HealthDeps {
  readonly clock: Clock
  readonly log: Log
  /** What serving needs, and nothing else. */
  readonly checks: readonly ReadinessCheck[]
}

/** The answer to a probe; undefined for every other path. */
export type Health = (method: string, path: string) => Answer | Promise<Answer> | undefined

export function createHealth(deps: HealthDeps): Health {
  const states = createStates(deps)
  return (method, path) => {
    if (path !== '/livez' && path !== '/readyz') return undefined
    if (method !== 'GET' && method !== 'HEAD') return errorAnswer(wrongMethod(method), method)
    return path === '/livez' ? jsonAnswer(method, { live: true }, noStore) : readiness(method, states)
  }
}

/** A bucket that is not a folder of this machine: it is asked for an object, whether that is there or not. */
export function bucketReadable(bucket: BucketReader): ReadinessCheck {
  return {
    name: 'bucket_read',
    async check(wait) {
      await bucket.head(formatKey, wait)
    },
  }
}

const noStore = { 'Cache-Control': 'no-store' }

function wrongMethod(method: string): OciError {
  return new OciError('UNSUPPORTED', `${method} is not supported here; GET, HEAD is`, {
    headers: { Allow: 'GET, HEAD' },
  })
}

async function readiness(method: string, states: () => Promise<Record<string, State>>): Promise<Answer> {
  const checks = await states()
  const ready = Object.values(checks).every((state) => state === 'ok')
  return ready
    ? jsonAnswer(method, { ready, checks }, noStore)
    : jsonAnswer(method, { ready, checks }, { ...noStore, 'Retry-After': String(retryAfterSeconds) }, 503)
}

/** Runs the checks, and tells the log when one of them changed. Keeps plain values only: a worker's requests share them. */
function createStates({ clock, log, checks }: HealthDeps): () => Promise<Record<string, State>> {
  let known: { readonly states: Record<string, State>; readonly atMs: number } | undefined

  async function stateOf(each: ReadinessCheck, signal: AbortSignal): Promise<State> {
    const before = known?.states[each.name] ?? 'ok'
    try {
      await orAborted(signal, each.check({ signal }))
      if (before !== 'ok') log.info('ready again', { check: each.name })
      return 'ok'
    } catch (error) {
      const state = signal.aborted ? 'timeout' : 'failed'
      if (before === 'ok') log.warn('not ready', { check: each.name, state }, error)
      return state
    }
  }

  return async () => {
    if (known !== undefined && clock.now() - known.atMs < rememberMs) return known.states
    const slow = () => new UpstreamError('bucket', `no answer within ${checkTimeoutMs} ms`)
    const limit = deadline(clock, checkTimeoutMs, undefined, slow)
    const found = await Promise.all(
      checks.map(async (each): Promise<[string, State]> => [each.name, await stateOf(each, limit.signal)]),
    )
    limit.clear()
    const states = Object.fromEntries(found)
    known = { states, atMs: clock.now() }
    return states
  }
}
