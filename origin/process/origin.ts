// The origin process: takes pushes and answers for everything.

import { createOriginApp } from '../../shared/http/origin-app.ts'
import { folderReadable, folderWritable } from '../bucket/folder-checks.ts'
import { createFsBucket } from '../bucket/fs-bucket.ts'
import { createFsUploads } from '../upload/fs-uploads.ts'
import { nodeHasher } from '../upload/node-hasher.ts'
import { accessAt, bucketFolder, formatAddress } from '../config/addresses.ts'
import type { Config } from '../config/schema.ts'
import { listenHttp } from './http-listener.ts'
import type { Running } from './service.ts'
import { createLog, systemClock, systemRandom } from './system-ports.ts'

export async function startOrigin(config: Config): Promise<Running> {
  const access = accessAt(config, 'origin.listen', config.origin.listen)
  const log = createLog('origin', config.log.level)
  const folder = bucketFolder(config)
  const app = createOriginApp({
    log,
    clock: systemClock,
    random: systemRandom,
    access,
    checks: [folderReadable(folder), folderWritable(folder, systemRandom)],
    bucket: await createFsBucket({ folder, random: systemRandom }),
    uploads: createFsUploads({ folder }),
    hasher: nodeHasher,
    push: { allowSparse: config.push.allow_sparse },
    requestTimeoutMs: config.origin.request_timeout_ms,
  })
  const listener = await listenHttp({
    fetch: app.fetch,
    address: config.origin.listen,
    idleTimeoutMs: config.http.idle_timeout_ms,
  })
  const url = `http://${formatAddress(listener.address)}`
  log.info('ready', { url })
  return { url, stop: () => listener.drain(config.http.drain_ms) }
}
