// Listings of an S3-like bucket, page by page.

import type { Wait } from '../../shared/ports/bucket.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import { type ListedPage, type ListingOptions, listingQuery, parseListing } from '../../shared/protocol/s3-answers.ts'
import type { S3Connection } from './s3-connection.ts'

/** What lies under a prefix. Keys are without the connection's prefix. */
export async function* listPages(
  s3: S3Connection,
  prefix: string,
  { level, after = '' }: { readonly level: ListingOptions['level']; readonly after?: string },
  wait: Wait,
): AsyncIterable<ListedPage> {
  const from = { prefix: s3.prefix + prefix, level, after: after === '' ? '' : s3.prefix + after }
  const inBucket = (key: string) => key.slice(s3.prefix.length)
  let continuation: string | undefined
  do {
    const query = listingQuery({ ...from, continuation })
    const answer = await s3.ask(`LIST ${prefix}`, { method: 'GET', query }, wait)
    const page = parseListing(new TextDecoder().decode(answer.bytes))
    if (page === undefined) throw new UpstreamError('bucket', `LIST ${prefix} came broken, or broke off`)
    yield {
      ...page,
      objects: page.objects.map((object) => ({ ...object, key: inBucket(object.key) })),
      folders: page.folders.map(inBucket),
    }
    continuation = page.continuation
  } while (continuation !== undefined)
}
