// The origin process: takes pushes and answers for everything.

import { createOriginApp } from '../../shared/http/origin-app.ts'
import { createPushBlob } from '../../shared/registry/push-blob.ts'
import { folderReadable, folderWritable } from '../bucket/folder-checks.ts'
import { createFsBucket } from '../bucket/fs-bucket.ts'
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
  const files = await createFsBucket({ folder, random: systemRandom })
  const bucket = metrics?.operations.writer(files) ?? files
  const sessions = createPushBlob({
    bucket,
    uploads: createFsUploads({ folder }),
    hasher: nodeHasher,
    random: systemRandom,
  })
  const app = createOriginApp({
    log,
    clock: systemClock,
    random: systemRandom,
    access,
    checks: [folderReadable(folder), folderWritable(folder, systemRandom)],
    observer: metrics?.requests,
    bucket,
    pushBlob: metrics?.uploads.of(sessions) ?? sessions,
    push: { allowSparse: config.push.allow_sparse },
    requestTimeoutMs: config.origin.request_timeout_ms,
  })
  const serving = await serve({ config, fetch: app.fetch, address: config.origin.listen, measured })
  const url = `http://${formatAddress(serving.address)}`
  log.info('ready', { url, metrics: serving.metricsUrl })
  return { url, stop: serving.stop }
}
