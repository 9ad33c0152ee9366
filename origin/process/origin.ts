// The origin process: takes pushes and answers for everything.

import { createOriginApp } from '../../shared/http/origin-app.ts'
import { createPushBlob } from '../../shared/registry/push-blob.ts'
import { startUploadExpiry } from '../../shared/registry/upload-expiry.ts'
import { folderReadable, folderWritable } from '../bucket/folder-checks.ts'
import { createFsBucket, createFsBucketReader } from '../bucket/fs-bucket.ts'
import { readOnlyBucket } from '../bucket/read-only-bucket.ts'
import { createFsUploads } from '../upload/fs-uploads.ts'
import { nodeHasher } from '../upload/node-hasher.ts'
import { accessAt, bucketFolder, formatAddress } from '../config/addresses.ts'
import type { Config } from '../config/schema.ts'
import { measuredAt, serve } from './serve.ts'
import type { Running } from './service.ts'
import { createLog, systemClock, systemRandom } from './system-ports.ts'

export async function startOrigin(config: Config): Promise<Running> {
  const access = accessAt(config, 'origin.listen', config.origin.listen)
  const log = createLog('origin', config.log.level)
  const folder = bucketFolder(config)
  const measured = await measuredAt(config.origin.metrics_listen)
  const metrics = measured?.metrics
  const readOnly = config.access.read_only
  const files = readOnly
    ? readOnlyBucket(createFsBucketReader({ folder }))
    : await createFsBucket({ folder, random: systemRandom })
  const bucket = metrics?.operations.writer(files) ?? files
  const uploads = createFsUploads({ folder })
  const sessions = createPushBlob({ bucket, uploads, hasher: nodeHasher, random: systemRandom })
  const pushBlob = metrics?.uploads.of(sessions) ?? sessions
  const app = createOriginApp({
    log,
    clock: systemClock,
    random: systemRandom,
    access,
    checks: readOnly ? [folderReadable(folder)] : [folderReadable(folder), folderWritable(folder, systemRandom)],
    observer: metrics?.requests,
    bucket,
    pushBlob,
    push: { allowSparse: config.push.allow_sparse },
    requestTimeoutMs: config.origin.request_timeout_ms,
  })
  const serving = await serve({ config, fetch: app.fetch, address: config.origin.listen, measured })
  const url = `http://${formatAddress(serving.address)}`
  log.info('ready', { url, metrics: serving.metricsUrl })
  const expiry = readOnly
    ? undefined
    : startUploadExpiry({
        uploads,
        pushBlob,
        clock: systemClock,
        log,
        expireAfterMs: config.push.upload_expiry_hours * 3600_000,
        found: metrics?.uploads.found,
      })
  return {
    url,
    async stop() {
      await Promise.all([expiry?.stop(), serving.stop()])
    },
  }
}
