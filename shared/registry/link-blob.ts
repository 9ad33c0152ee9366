// Makes a blob that is there part of a repository.

import { layerLinkKey, linkContent } from '../layout/keys.ts'
import type { Bucket, Wait } from '../ports/bucket.ts'
import type { Digest } from '../protocol/digest.ts'
import type { RepositoryName } from '../protocol/names.ts'
import { BlockedContent, refuseBlocked } from './blocked.ts'

/**
 * Who blocks a blob marks it first, and then takes its links away: one that came meanwhile is taken back here.
 * @throws BlockedContent
 */
export async function linkBlob(bucket: Bucket, name: RepositoryName, digest: Digest, wait: Wait): Promise<void> {
  await bucket.write(layerLinkKey(name, digest), linkContent(digest), wait)
  try {
    await refuseBlocked(bucket, [digest], wait)
  } catch (error) {
    if (error instanceof BlockedContent) await bucket.remove(layerLinkKey(name, digest), wait)
    throw error
  }
}
