// The embedded IPFS node on its own: hands out the public images of a bucket, without HTTP.

import { accessRules } from '../config/addresses.ts'
import { ConfigError } from '../config/config-error.ts'
import type { Config } from '../config/schema.ts'
import { startEmbedded } from '../compose/ipfs.ts'
import { openBucket } from '../compose/open-bucket.ts'
import type { Running } from './service.ts'
import { createLog } from '../compose/system-ports.ts'

/** @throws ConfigError where it is not said where to listen */
export async function startSwarmNode(config: Config): Promise<Running> {
  if ((config.ipfs.listen ?? []).length === 0)
    throw new ConfigError(['ipfs.listen: must be set for this verb, e.g. --ipfs-listen /ip4/127.0.0.1/tcp/4001'])
  const log = createLog('swarm', config.log.level)
  const { bucket } = await openBucket(config, log)
  const access = accessRules(config)
  const swarm = await startEmbedded({ config, bucket, access, log })
  const url = swarm.addresses().join(',')
  log.info('ready', { ipfs: url })
  return { url, stop: () => swarm.stop() }
}
