// CNCF Distribution, on files or on S3.

import { writeFile } from 'node:fs/promises'
import { findClient } from '../../test/support/clients/programs.ts'
import { freePort } from '../../test/support/http/free-port.ts'
import { answers, startServer } from '../processes.ts'
import type { Peer } from './peer.ts'
import type { S3Server } from './versitygw.ts'

/**
 * @param folder for its data
 * @param redirectTo base address that blob GETs are redirected to; undefined: it streams them, as it does by default
 */
export async function startDistribution(folder: string, redirectTo?: string): Promise<Peer> {
  const storage = { filesystem: { rootdirectory: folder } }
  const redirect = { middleware: { storage: [{ name: 'redirect', options: { baseurl: redirectTo } }] } }
  const peer =
    redirectTo === undefined
      ? await start(folder, 'Distribution', { storage })
      : await start(folder, 'Distribution (redirect)', { storage, ...redirect })
  return { ...peer, bucketFolder: folder }
}

/** With its S3 driver, which redirects blob GETs to presigned URLs. @param folder beside which its files are */
export async function startDistributionOnS3(folder: string, server: S3Server, bucket: string): Promise<Peer> {
  const { url: regionendpoint, region, accessKeyId: accesskey, secretAccessKey: secretkey } = server
  const driver = { regionendpoint, region, bucket, accesskey, secretkey, secure: false, forcepathstyle: true }
  return start(folder, 'Distribution', { storage: { s3: driver } })
}

/** @param settings beside the usual ones */
async function start(folder: string, name: string, settings: object): Promise<Peer> {
  const program = findClient('registry')
  if (program === undefined) throw new Error('registry is not installed (see test/support/clients/programs.ts)')
  const port = await freePort()
  // JSON is YAML. It logs as little as Mirrorball is told to here: faults.
  const config = {
    version: '0.1',
    log: { level: 'error', accesslog: { disabled: true } },
    http: { addr: `127.0.0.1:${port}` },
    ...settings,
  }
  const configFile = `${folder}.yaml`
  await writeFile(configFile, JSON.stringify(config))
  const server = startServer(program, ['serve', configFile], `${folder}.log`, { OTEL_TRACES_EXPORTER: 'none' })
  const url = `http://127.0.0.1:${port}`
  await answers(`${url}/v2/`)
  return {
    name,
    pushUrl: url,
    pullUrl: url,
    pid: server.pid,
    roles: { registry: server.pid },
    stop: () => server.stop(),
  }
}
