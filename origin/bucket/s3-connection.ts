// The way to an S3-like bucket: one client, and for every call a deadline, retries with jitter inside it, and errors that
// say what failed and hold no credentials.

import type { Agent } from 'node:http'
import { S3Client, S3ServiceException } from '@aws-sdk/client-s3'
import type { Clock } from '../../shared/ports/clock.ts'
import { deadline, pause } from '../../shared/concurrency/deadline.ts'
import type { Wait } from '../../shared/ports/bucket.ts'
import { orAborted } from '../../shared/concurrency/or-aborted.ts'
import { OciError, UpstreamError } from '../../shared/protocol/errors.ts'
import { isLoopbackUrl } from '../../shared/protocol/ip-address.ts'
import { createRecentWrites, type RecentWrites } from './recent-writes.ts'
import { createS3Requests, type S3Answer, S3Refusal, type S3Request } from './s3-request.ts'

/** Where the bucket is, and whose key opens it. */
export interface S3Access {
  /** URL of the server. The bucket is in the URL's path, never in its host, which every server understands. */
  readonly endpoint: string
  /** `auto` for R2. */
  readonly region: string
  readonly bucket: string
  /** What every key begins with; ends with a slash, or is empty. */
  readonly prefix?: string | undefined
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

export interface S3Deps {
  readonly access: S3Access
  readonly clock: Clock
  /** Milliseconds for one call with all its retries; those that carry bytes have longer. */
  readonly timeoutMs: number
}

export interface S3Connection {
  readonly bucket: string
  readonly prefix: string
  readonly clock: Clock
  /** Milliseconds for a call without bytes; also how long a body may stand still. */
  readonly timeoutMs: number
  /** Whether somebody on the way could change bytes, so that a signature has to cover them: it costs another hash of each. */
  readonly signsBytes: boolean
  /** What was written over this connection. */
  readonly recent: RecentWrites

  /**
   * Runs a request until it succeeds, fails for good, or is out of time. Rejects with S3Failure, or with the signal's reason.
   * @param what for messages, e.g. `GET some/key`
   * @param attempt is run anew for each try; repeating it must do no harm
   * @param bytes that the call carries or that the server has to copy
   */
  call<Result>(
    what: string,
    attempt: (client: S3Client, signal: AbortSignal) => Promise<Result>,
    wait: Wait,
    bytes?: number,
  ): Promise<Result>

  /** The same for a small request. Rejects with AnswerTooLarge too. */
  ask(what: string, request: S3Request, wait: Wait): Promise<S3Answer>
}

/** The server's answer was an error, or none came. */
export class S3Failure extends UpstreamError {
  /** Undefined where there was no answer. */
  readonly status: number | undefined
  /** S3's own word for it, e.g. `NoSuchKey`; that of the network where there was no answer. */
  readonly code: string

  constructor(message: string, { status, code }: { status?: number | undefined; code: string }) {
    super('bucket', message)
    this.status = status
    this.code = code
  }
}

/** Connections to the server at once; more requests wait for one. */
const connections = 128

/** Milliseconds until a connection must stand. */
const connectTimeoutMs = 5_000

/** Bytes a millisecond that any server can do: what a call with bytes has longer. */
const slowestBytesPerMs = 256

/** Tries of a request that the server broke; one that was too much for it now is tried until time is up. */
const attempts = 4

/** A try has this part of a call's time, beside what its bytes take: a request into a dead connection is noticed while another can still succeed. */
const attemptShare = 3

/** Milliseconds: the longest pause after the first try, which doubles with each; and where it stops growing. */
const [pauseMs, throttledPauseMs, longestPauseMs] = [100, 500, 5_000]

/** Answers that say: not now. */
const throttled = new Set(['SlowDown', 'SlowDownRead', 'SlowDownWrite', 'TooManyRequests', 'RequestLimitExceeded'])

/**
 * 4xx answers that another try may not get. `ConditionalRequestConflict`: another writer was faster, and is not done yet.
 * `ExistingObjectIsDirectory`: no key of ours is a folder of another, but versitygw says so too where the folder of a key
 * is just being taken away, as the last object in it was removed.
 */
const passing = new Set([
  'RequestTimeout',
  'ConditionalRequestConflict',
  'OperationAborted',
  'ExistingObjectIsDirectory',
])

/** The library would print to the console, where there are lines of JSON. */
const quiet = { debug() {}, info() {}, warn() {}, error() {} }

export function connectS3({ access, clock, timeoutMs }: S3Deps): S3Connection {
  const agent: ConstructorParameters<typeof Agent>[0] = { keepAlive: true, maxSockets: connections }
  const client = new S3Client({
    region: access.region,
    endpoint: access.endpoint,
    forcePathStyle: true,
    credentials: { accessKeyId: access.accessKeyId, secretAccessKey: access.secretAccessKey },
    // Retried here: the library's pauses cannot be interrupted, and it does not retry a request whose body is a stream.
    maxAttempts: 1,
    logger: quiet,
    // Not every server knows the newer checksums; the bytes of blobs have their digest.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    expectContinueHeader: false,
    followRegionRedirects: false,
    requestHandler: {
      connectionTimeout: connectTimeoutMs,
      logger: quiet,
      socketTimeout: 0,
      httpAgent: agent,
      httpsAgent: agent,
    },
  })
  const signsBytes = isOpenRoad(access.endpoint)
  const send = createS3Requests({ access, clock, signsBytes, connections, connectTimeoutMs })
  const secrets = [access.secretAccessKey, access.accessKeyId].filter((secret) => secret !== '')

  /** The library's errors carry the request's headers and whatever the server sent, so none of them goes on. */
  function failure(what: string, error: unknown): unknown {
    if (error instanceof UpstreamError || error instanceof OciError) return error
    const known = describe(error)
    if (known === undefined) return error
    const { status, code } = known
    let said = known.message.slice(0, 500)
    for (const secret of secrets) said = said.replaceAll(secret, '…')
    const where = `bucket ${access.bucket} at ${access.endpoint}`
    const answer = status === undefined ? `got no answer (${code})` : `was answered ${status} ${code}`
    return new S3Failure(`${what} ${answer}: ${said}${advice(where, status, code)}`, { status, code })
  }

  async function tryOnce<Result>(
    attempt: (client: S3Client, signal: AbortSignal) => Promise<Result>,
    ms: number,
    parent: AbortSignal,
  ): Promise<Result> {
    const late = () => new S3Failure(`no answer within ${ms} ms`, { code: 'TimeoutError' })
    const limit = deadline(clock, ms, parent, late)
    try {
      return await orAborted(limit.signal, attempt(client, limit.signal))
    } catch (error) {
      throw limit.signal.aborted ? limit.signal.reason : error
    } finally {
      limit.clear()
    }
  }

  const connection: S3Connection = {
    bucket: access.bucket,
    prefix: access.prefix ?? '',
    clock,
    timeoutMs,
    signsBytes,
    recent: createRecentWrites(clock),

    ask: (what, request, wait) =>
      connection.call(
        what,
        (_, signal) => send(request, signal),
        wait,
        request.workBytes ?? request.body?.byteLength ?? request.limitBytes,
      ),

    async call(what, attempt, wait, bytes = 0) {
      const bytesMs = bytes / slowestBytesPerMs
      const limitMs = Math.ceil(timeoutMs + bytesMs)
      const attemptMs = Math.ceil(timeoutMs / attemptShare + bytesMs)
      let last = ''
      const late = () => new UpstreamError('bucket', `${what} did not succeed within ${limitMs} ms${last}`)
      const limit = deadline(clock, limitMs, wait.signal, late)
      try {
        for (let tries = 1; ; tries++) {
          limit.signal.throwIfAborted()
          try {
            return await tryOnce(attempt, attemptMs, limit.signal)
          } catch (error) {
            limit.signal.throwIfAborted()
            const failed = failure(what, error)
            const kind = failed instanceof S3Failure ? kindOf(failed) : 'final'
            if (kind === 'final' || (kind === 'broken' && tries === attempts)) throw failed
            last = `: ${String(failed)}`
            const longest = Math.min(
              (kind === 'throttled' ? throttledPauseMs : pauseMs) * 2 ** (tries - 1),
              longestPauseMs,
            )
            await pause(clock, Math.random() * longest, limit.signal)
          }
        }
      } finally {
        limit.clear()
      }
    },
  }
  return connection
}

function isOpenRoad(endpoint: string): boolean {
  return new URL(endpoint).protocol === 'http:' && !isLoopbackUrl(endpoint)
}

/** What an error of the library says; undefined where it is none that a server or the network can cause. */
function describe(error: unknown): { status?: number | undefined; code: string; message: string } | undefined {
  if (!(error instanceof Error)) return undefined
  if (error instanceof S3Refusal) return error
  if (error instanceof S3ServiceException)
    return { status: error.$metadata.httpStatusCode, code: error.name, message: error.message }
  if ('code' in error && typeof error.code === 'string')
    return { code: error.code, message: error.message === '' ? error.name : error.message }
  // An answer that is not what S3 sends.
  const status = '$metadata' in error ? (error.$metadata as { httpStatusCode?: number }).httpStatusCode : undefined
  if (status !== undefined || error.name === 'TimeoutError') return { status, code: error.name, message: error.message }
  return undefined
}

function kindOf({ status, code }: S3Failure): 'throttled' | 'broken' | 'final' {
  if (status === 429 || status === 503 || throttled.has(code)) return 'throttled'
  if (status === undefined || status < 400 || status === 408 || passing.has(code)) return 'broken'
  return status >= 500 && status !== 501 ? 'broken' : 'final'
}

function advice(where: string, status: number | undefined, code: string): string {
  if (code === 'NoSuchBucket') return `; there is no ${where}: create it, or correct its name`
  if (status === 403 || status === 401)
    return `; check the key for ${where}, its rights to read, write, list and delete, and this machine's clock`
  if (status === 301 || code === 'PermanentRedirect') return `; ${where} is in another region`
  return ''
}
