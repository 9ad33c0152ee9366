// What an edge does with a request once it knows the facts. Pure: no waiting, no side effect. The facts are gathered by
// edge-app.ts; docs/request-handling.md is this file in words and as a picture.

import { isLoopbackUrl } from '../protocol/ip-address.ts'
import { isContentName, type RepositoryName } from '../protocol/names.ts'

/** What the bucket said about one piece of content under one name. */
export interface BucketFacts {
  /** The link that makes the content part of the repository (a tag, revision or layer link) is there. */
  readonly linked: boolean
  /** The bytes are there. */
  readonly present: boolean
}

/**
 * - `serve`: the edge has all it needs.
 * - `ask-origin`: the origin may know better: it fetches content names, and heals what is linked but lost its bytes.
 * - `refuse`: 404 at once. The bucket is the database: what it does not link was not pushed, and the origin reads the same bucket.
 */
export type Decision = 'serve' | 'ask-origin' | 'refuse'

export function decideContent(name: RepositoryName, facts: BucketFacts): Decision {
  if (facts.linked) return facts.present ? 'serve' : 'ask-origin'
  return isContentName(name) ? 'ask-origin' : 'refuse'
}

/** How the bytes of a blob that is there reach the client. */
export type BlobDelivery = 'head' | 'redirect' | 'stream'

/**
 * HEAD is answered here, since a presigned URL of a GET refuses it. A loopback URL leads nowhere from another machine, so who
 * came by another name gets the bytes through the edge.
 * @param link the URL that would be redirected to; undefined where the bucket has none
 * @param requestUrl as the client sent it
 */
export function decideDelivery(method: string, link: string | undefined, requestUrl: string): BlobDelivery {
  if (method === 'HEAD') return 'head'
  if (link === undefined) return 'stream'
  return isLoopbackUrl(link) && !isLoopbackUrl(requestUrl) ? 'stream' : 'redirect'
}
