// How an edge reads the bucket, and where it sends clients for blobs.

import { createHttpBucket } from '../../shared/edge/http-bucket.ts'
import { prefixedBucket, prefixedLinks } from '../../shared/edge/prefixed-bucket.ts'
import { createPublicLinks } from '../../shared/edge/public-links.ts'
import { type BucketAccess, createSignedLinks } from '../../shared/edge/signed-links.ts'
import { bucketReadable } from '../../shared/http/health.ts'
import type { BucketReader } from '../../shared/ports/bucket.ts'
import type { ObjectLinks } from '../../shared/ports/object-links.ts'
import type { ReadinessCheck } from '../../shared/ports/readiness.ts'
import { bucketKey } from '../accounts/bucket-key.ts'
import { folderReadable } from '../bucket/folder-checks.ts'
import { createFsBucketReader } from '../bucket/fs-bucket.ts'
import { bucketFolder, bucketKeyFile, bucketUrl, s3Access } from '../config/addresses.ts'
import type { Config } from '../config/schema.ts'
import { systemClock } from './system-ports.ts'

export interface BucketReading {
  readonly bucket: BucketReader
  /** For clients. */
  readonly links: ObjectLinks
  /** For clients while everyone may pull everything; undefined: `links`. */
  readonly publicLinks: ObjectLinks | undefined
  /** What `/readyz` looks at. */
  readonly check: ReadinessCheck
}

/** How to reach the bucket over HTTP, as clients do. */
export async function bucketAccess(config: Config): Promise<BucketAccess> {
  const { accessKeyId, secretAccessKey } = s3Access(config) ?? (await bucketKey(bucketKeyFile(config)))
  return { url: bucketUrl(config), region: config.bucket.region, accessKeyId, secretAccessKey }
}

/** As an edge on Node does it. */
export async function readBucket(config: Config): Promise<BucketReading> {
  const access = await bucketAccess(config)
  const links = createSignedLinks(access, systemClock)
  const { s3_url: s3Url, public_url: publicUrl, prefix } = config.bucket
  const publicLinks = publicUrl === undefined ? undefined : prefixedLinks(createPublicLinks(publicUrl), prefix)
  if (s3Url === undefined && config.edge.bucket_access === 'folder') {
    const folder = bucketFolder(config)
    return { bucket: createFsBucketReader({ folder }), links, publicLinks, check: folderReadable(folder) }
  }
  // Loaded where it is used: the library takes memory.
  const { createPooledFetch } = await import('../http/pooled-fetch.ts')
  const ownLinks = s3Url === undefined ? links : createSignedLinks({ ...access, url: s3Url }, systemClock)
  const bucket = prefixedBucket(createHttpBucket({ links: ownLinks, fetch: createPooledFetch() }), prefix)
  return { bucket, links: prefixedLinks(links, prefix), publicLinks, check: bucketReadable(bucket) }
}
