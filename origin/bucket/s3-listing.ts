// Listings of an S3-like bucket, page by page.

import { ListObjectsV2Command } from '@aws-sdk/client-s3'
import type { Wait } from '../../shared/ports/bucket.ts'
import { UpstreamError } from '../../shared/protocol/errors.ts'
import type { S3Connection } from './s3-connection.ts'

export interface ListedObject {
  readonly key: string
  readonly sizeBytes: number
  readonly etag: string
  /** ms since 1970, by the server's clock, which some servers give in whole seconds. */
  readonly modifiedMs: number
}

export interface ListedPage {
  readonly objects: readonly ListedObject[]
  /** Prefixes up to the next slash, where the listing is of one level. */
  readonly folders: readonly string[]
}

/** @param level `one`: what lies directly under the prefix, else all of it */
export async function* listPages(
  s3: S3Connection,
  prefix: string,
  options: { readonly level: 'one' | 'all'; readonly after?: string },
  wait: Wait,
): AsyncIterable<ListedPage> {
  const inBucket = (key: string) => key.slice(s3.prefix.length)
  let token: string | undefined
  do {
    const command = {
      Bucket: s3.bucket,
      Prefix: s3.prefix + prefix,
      ...(options.level === 'one' ? { Delimiter: '/' } : {}),
      ...(options.after ? { StartAfter: s3.prefix + options.after } : {}),
      ...(token === undefined ? {} : { ContinuationToken: token }),
    }
    const page = await s3.call(
      `LIST ${prefix}`,
      (client, abortSignal) => client.send(new ListObjectsV2Command(command), { abortSignal }),
      wait,
    )
    yield {
      objects: (page.Contents ?? []).map(({ Key, Size, ETag, LastModified }) => ({
        key: inBucket(Key ?? ''),
        sizeBytes: Size ?? 0,
        etag: ETag ?? '',
        modifiedMs: LastModified?.getTime() ?? 0,
      })),
      folders: (page.CommonPrefixes ?? []).map(({ Prefix }) => inBucket(Prefix ?? '')),
    }
    token = page.IsTruncated ? page.NextContinuationToken : undefined
    if (page.IsTruncated && token === undefined)
      throw new UpstreamError('bucket', 'a listing broke off without a continuation')
  } while (token !== undefined)
}
