// CNCF Distribution on files.

import { writeFile } from 'node:fs/promises'
import { findClient } from '../../test/support/clients/programs.ts'
import { answers, freePort, startServer } from '../processes.ts'
import type { Peer } from './peer.ts'

/**
 * @param folder for its data
 * @param redirectTo base address that blob GETs are redirected to; undefined: it streams them, as it does by default
 */
export async function startDistribution(folder: string, redirectTo?: string): Promise<Peer> {
  const program = findClient('registry')
  if (program === undefined) throw new Error('registry is not installed (see test/support/clients/programs.ts)')
  const port = await freePort()
  // JSON is YAML. It logs as little as Mirrorball is told to here: faults.
  const config = {
    version: '0.1',
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: folder } },
    http: { addr: `127.0.0.1:${port}` },
    ...(redirectTo === undefined
      ? {}
      : { middleware: { storage: [{ name: 'redirect', options: { baseurl: redirectTo } }] } }),
  }
  const configFile = `${folder}.yaml`
  await writeFile(configFile, JSON.stringify(config))
  const server = startServer(program, ['serve', configFile], `${folder}.log`, { OTEL_TRACES_EXPORTER: 'none' })
  const url = `http://127.0.0.1:${port}`
  await answers(`${url}/v2/`)
  return {
    name: redirectTo === undefined ? 'Distribution' : 'Distribution (redirect)',
    pushUrl: url,
    pullUrl: url,
    bucketFolder: folder,
    pid: server.pid,
    roles: { registry: server.pid },
    stop: () => server.stop(),
  }
}
