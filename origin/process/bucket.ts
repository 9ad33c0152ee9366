// The bucket process: hands out what lies in the folder, by signed URLs.

import { bucketKey } from '../accounts/bucket-key.ts'
import { createBucketServer } from '../bucket/bucket-server.ts'
import { folderReadable } from '../bucket/folder-checks.ts'
import { createFsBucketReader } from '../bucket/fs-bucket.ts'
import { createSignatureCheck } from '../bucket/verify-signature.ts'
import { bucketFolder, bucketKeyFile, bucketUrl, s3Access } from '../config/addresses.ts'
import { ConfigError } from '../config/config-error.ts'
import type { Config } from '../config/schema.ts'
import { measuredAt, serve } from './serve.ts'
import type { Running } from './service.ts'
import { createLog, systemClock } from '../compose/system-ports.ts'

export async function startBucket(config: Config): Promise<Running> {
  if (s3Access(config) !== undefined)
    throw new ConfigError([
      'bucket.s3_url: is set, and a bucket on S3 hands out its blobs itself; leave this process out',
    ])
  bucketUrl(config) // Before anything is started: it may refuse.
  const log = createLog('bucket', config.log.level)
  const folder = bucketFolder(config)
  const measured = await measuredAt(config.bucket.metrics_listen)
  const metrics = measured?.metrics
  const files = createFsBucketReader({ folder })
  const fetch = createBucketServer({
    bucket: metrics?.operations.reader(files) ?? files,
    signatureFault: createSignatureCheck({ key: await bucketKey(bucketKeyFile(config)), region: config.bucket.region }),
    clock: systemClock,
    log,
    checks: [folderReadable(folder)],
    observer: metrics?.requests,
  })
  const serving = await serve({ config, fetch, address: config.bucket.listen, measured, log })
  const url = bucketUrl(config, serving.address)
  log.info('ready', { url, metrics: serving.metricsUrl })
  return { url, stop: serving.stop }
}
