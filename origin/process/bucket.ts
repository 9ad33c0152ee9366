// The bucket process: hands out what lies in the folder, by signed URLs.

import { bucketKey } from '../accounts/bucket-key.ts'
import { createBucketServer } from '../bucket/bucket-server.ts'
import { folderReadable } from '../bucket/folder-checks.ts'
import { createFsBucketReader } from '../bucket/fs-bucket.ts'
import { createSignatureCheck } from '../bucket/verify-signature.ts'
import { bucketFolder, bucketKeyFile, bucketUrl } from '../config/addresses.ts'
import type { Config } from '../config/schema.ts'
import { listenHttp } from './http-listener.ts'
import type { Running } from './service.ts'
import { createLog, systemClock } from './system-ports.ts'

export async function startBucket(config: Config): Promise<Running> {
  bucketUrl(config) // Before anything is started: it may refuse.
  const log = createLog('bucket', config.log.level)
  const folder = bucketFolder(config)
  const bucket = createFsBucketReader({ folder })
  const rules = { key: await bucketKey(bucketKeyFile(config)), region: config.bucket.region }
  const signatureFault = createSignatureCheck(rules)
  const fetch = createBucketServer({
    bucket,
    signatureFault,
    clock: systemClock,
    log,
    checks: [folderReadable(folder)],
  })
  const listener = await listenHttp({
    fetch,
    address: config.bucket.listen,
    idleTimeoutMs: config.http.idle_timeout_ms,
  })
  const url = bucketUrl(config, listener.address)
  log.info('ready', { url })
  return { url, stop: () => listener.drain(config.http.drain_ms) }
}
