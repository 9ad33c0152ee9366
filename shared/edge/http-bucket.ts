// Reads an S3-like bucket over HTTP: what an edge in workerd does locally, and any edge that has no binding.

import { parseXml, XmlElement } from '@rgrove/parse-xml'
import type { Key } from '../layout/keys.ts'
import type { BucketReader, ListEntry, Wait } from '../ports/bucket.ts'
import type { FetchedObject, FetchObject } from '../ports/fetch.ts'
import { UpstreamError } from '../protocol/errors.ts'
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
    return ask(method, key, await links.urlOf(method, key), headers, wait)
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
        const query = new URLSearchParams({ 'list-type': '2', prefix, delimiter: '/', 'encoding-type': 'url' })
        if (after !== '') query.set('start-after', after)
        if (continuation !== undefined) query.set('continuation-token', continuation)
        const response = await ask('GET', 'a listing', await links.listingUrl(query), {}, wait)
        if (response === undefined) throw new UpstreamError('bucket', 'the bucket does not exist')
        const page = parseListing(new TextDecoder().decode(await bytesOf('a listing', response, wait)))
        // S3 counts a folder as after `after` when an object in it is.
        yield* page.entries.filter((entry) => entry.path > after)
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

/** Reads a page of ListObjectsV2 with `encoding-type=url`. Source: Amazon S3 API Reference, ListObjectsV2. */
function parseListing(xml: string): { entries: ListEntry[]; continuation: string | undefined } {
  let root: XmlElement | null
  try {
    root = parseXml(xml).root
  } catch (error) {
    throw new UpstreamError('bucket', 'a listing came as broken XML', { cause: error })
  }
  if (root?.name !== 'ListBucketResult') throw new UpstreamError('bucket', 'the answer to a listing is none')
  const paths = (parent: string, child: string) =>
    elements(root, parent).flatMap((entry) => elements(entry, child).map((path) => decodeURIComponent(path.text)))
  const entries: ListEntry[] = [
    ...paths('Contents', 'Key').map((path) => ({ path, kind: 'object' as const })),
    ...paths('CommonPrefixes', 'Prefix').map((path) => ({ path, kind: 'folder' as const })),
  ]
  // A page has its objects before its folders; together they are in order again.
  entries.sort((a, b) => (a.path < b.path ? -1 : 1))
  const truncated = elements(root, 'IsTruncated')[0]?.text === 'true'
  const continuation = elements(root, 'NextContinuationToken')[0]?.text
  if (truncated && continuation === undefined)
    throw new UpstreamError('bucket', 'a listing broke off without a continuation')
  return { entries, continuation: truncated ? continuation : undefined }
}

function elements(parent: XmlElement, name: string): XmlElement[] {
  return parent.children.filter((child): child is XmlElement => child instanceof XmlElement && child.name === name)
}
