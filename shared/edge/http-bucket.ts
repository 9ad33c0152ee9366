// Reads an S3-like bucket over HTTP: what an edge in workerd does locally, and any edge that has no binding.

import type { Key } from '../layout/keys.ts'
import type { BucketReader, Wait } from '../ports/bucket.ts'
import type { FetchedObject, FetchObject } from '../ports/fetch.ts'
import { UpstreamError } from '../protocol/errors.ts'
import { entriesAfter, listingQuery, parseListing } from '../protocol/s3-answers.ts'
import type { SignedLinks } from './signed-links.ts'

export function createHttpBucket(deps: { links: SignedLinks; fetch: FetchObject }): BucketReader {
  const { links } = deps

  /** undefined for 404. Whatever else is no success is the bucket's fault, 403 too: we hold the key. */
  async function ask(
    method: 'GET' | 'HEAD',
    what: string,
    url: string,
    headers: Record<string, string>,
    { signal }: Wait,
  ): Promise<FetchedObject | undefined> {
    let response
    try {
      response = await deps.fetch(url, { method, headers, signal })
    } catch (error) {
      signal.throwIfAborted()
      throw new UpstreamError('bucket', `${method} ${what} failed`, { cause: error })
    }
    if (response.status >= 200 && response.status < 300) return response
    await response.discard()
    if (response.status === 404) return undefined
    throw new UpstreamError('bucket', `${method} ${what} was answered ${response.status}`)
  }

  async function askObject(method: 'GET' | 'HEAD', key: Key, headers: Record<string, string>, wait: Wait) {
    return ask(method, key, links.urlOf(method, key), headers, wait)
  }

  return {
    async head(key, wait) {
      const response = await askObject('HEAD', key, {}, wait)
      if (response === undefined) return undefined
      await response.discard()
      return contentLength(response)
    },

    async read(key, limitBytes, wait) {
      const response = await askObject('GET', key, {}, wait)
      if (response === undefined) return undefined
      if (contentLength(response) > limitBytes) {
        await response.discard()
        throw new UpstreamError('bucket', `${key} has more than ${limitBytes} bytes`)
      }
      return bytesOf(key, response, wait)
    },

    async open(key, range, wait) {
      const headers: Record<string, string> = range === undefined ? {} : { Range: `bytes=${range.start}-${range.end}` }
      const response = await askObject('GET', key, headers, wait)
      if (response === undefined) return undefined
      if (range === undefined) return { sizeBytes: contentLength(response), body: response.stream() }
      // RFC 9110 section 15.3.7: a server may ignore Range, and then sends 200 with everything.
      const total = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(response.header('content-range') ?? '')
      if (response.status !== 206 || Number(total?.[1]) !== range.start || Number(total?.[2]) !== range.end) {
        await response.discard()
        throw new UpstreamError('bucket', `${key} came with another range than asked for`)
      }
      return { sizeBytes: Number(total?.[3]), body: response.stream() }
    },

    async *list(prefix, after, wait) {
      let continuation: string | undefined
      do {
        const query = new URLSearchParams(listingQuery({ prefix, level: 'one', after, continuation }))
        const response = await ask('GET', 'a listing', links.listingUrl(query), {}, wait)
        if (response === undefined) throw new UpstreamError('bucket', 'the bucket does not exist')
        const page = parseListing(new TextDecoder().decode(await bytesOf('a listing', response, wait)))
        if (page === undefined) throw new UpstreamError('bucket', 'a listing came broken, or broke off')
        yield* entriesAfter(page, after)
        continuation = page.continuation
      } while (continuation !== undefined)
    },
  }
}

async function bytesOf(what: string, response: FetchedObject, { signal }: Wait): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await response.bytes()
  } catch (error) {
    signal.throwIfAborted()
    throw new UpstreamError('bucket', `the answer with ${what} broke off`, { cause: error })
  }
}

function contentLength(response: FetchedObject): number {
  const length = response.header('content-length')
  if (length === undefined || !/^\d+$/.test(length))
    throw new UpstreamError('bucket', 'an answer came without its length')
  return Number(length)
}
