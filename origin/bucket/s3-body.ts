// Bodies: the bytes of an answer of S3 as a web stream, and a stream as what is sent.

import { Readable } from 'node:stream'
import type { GetObjectCommandOutput } from '@aws-sdk/client-s3'
import { deadline } from '../../shared/concurrency/deadline.ts'
import { orAborted } from '../../shared/concurrency/or-aborted.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { type S3Connection, S3Failure } from './s3-connection.ts'

/** The body as Node's own stream, which it is outside of browsers. */
export function readableOf({ Body: body }: GetObjectCommandOutput): Readable {
  if (body === undefined) throw new UpstreamError('bucket', 'an answer came without a body')
  return body as Readable
}

/**
 * The stream ends in UpstreamError where it breaks off, has not `sizeBytes`, or stands still while somebody waits for it.
 * @param what was asked for, for messages
 */
export function bodyStream(
  s3: S3Connection,
  what: string,
  body: Readable,
  sizeBytes: number,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const chunks: AsyncIterator<Uint8Array<ArrayBuffer>> = body[Symbol.asyncIterator]()
  const broken = (how: string) => new S3Failure(`${what} ${how}`, { code: 'BrokenBody' })
  const slow = () => broken(`gave no bytes within ${s3.timeoutMs} ms`)
  let left = sizeBytes

  async function next(): Promise<IteratorResult<Uint8Array<ArrayBuffer>>> {
    const limit = deadline(s3.clock, s3.timeoutMs, undefined, slow)
    try {
      return await orAborted(limit.signal, chunks.next())
    } catch (error) {
      if (error instanceof UpstreamError) throw error
      throw broken(`broke off: ${String(error)}`)
    } finally {
      limit.clear()
    }
  }

  return new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      async pull(controller) {
        try {
          const { done, value } = await next()
          left -= done ? 0 : value.byteLength
          if (left < 0 || (done && left > 0)) throw broken('has another length than it said')
          if (done) controller.close()
          else controller.enqueue(value)
        } catch (error) {
          body.destroy()
          throw error
        }
      },
      cancel() {
        body.destroy()
      },
    },
    { highWaterMark: 0 },
  )
}

/**
 * Sends a request with a stream as its body. The library neither hears of the stream's errors nor stops because of them:
 * they would end the process.
 */
export async function sendStream<Result>(
  source: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  signal: AbortSignal,
  send: (body: Readable, signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  // One chunk ahead, where the default is sixteen.
  const body = Readable.from(source, { highWaterMark: 1 })
  const broken = new AbortController()
  body.on('error', (error) => broken.abort(error))
  try {
    return await send(body, AbortSignal.any([signal, broken.signal]))
  } catch (error) {
    throw broken.signal.aborted ? broken.signal.reason : error
  } finally {
    body.destroy()
  }
}
