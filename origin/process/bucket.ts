// The bucket process: hands out what lies in the folder, by signed URLs.

import { bucketKey } from '../accounts/bucket-key.ts'
import { bucketName, createBucketServer } from '../bucket/bucket-server.ts'
import { createFsBucket } from '../bucket/fs-bucket.ts'
import { bucketFolder, bucketKeyFile, type Config, formatAddress } from './config.ts'
import { listenHttp } from './http-listener.ts'
import type { Running } from './service.ts'
import { createLog, systemClock, systemRandom } from './system-ports.ts'

export async function startBucket(config: Config): Promise<Running> {
  const log = createLog('bucket', config.log.level)
  const bucket = await createFsBucket({ folder: bucketFolder(config), random: systemRandom })
  const rules = { key: await bucketKey(bucketKeyFile(config)), region: config.bucket.region }
  const fetch = createBucketServer({ bucket, rules, clock: systemClock, log })
  const listener = await listenHttp({
    fetch,
    address: config.bucket.listen,
    idleTimeoutMs: config.http.idle_timeout_ms,
  })
  const url = config.bucket.url ?? `http://${formatAddress(listener.address)}/${bucketName}`
  log.info('ready', { url })
  return { url, stop: () => listener.drain(config.http.drain_ms) }
}
