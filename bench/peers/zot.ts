// zot on files, from a binary that ZOT_BIN names.

import { writeFile } from 'node:fs/promises'
import { freePort } from '../../test/support/http/free-port.ts'
import { answers, startServer } from '../processes.ts'
import type { Peer } from './peer.ts'

/** @param folder for its data */
export async function startZot(program: string, folder: string): Promise<Peer> {
  const port = await freePort()
  const config = {
    distSpecVersion: '1.1.1',
    storage: { rootDirectory: folder },
    http: { address: '127.0.0.1', port: String(port) },
    log: { level: 'error' },
  }
  const configFile = `${folder}.json`
  await writeFile(configFile, JSON.stringify(config))
  const server = startServer(program, ['serve', configFile], `${folder}.log`)
  const url = `http://127.0.0.1:${port}`
  await answers(`${url}/v2/`)
  return {
    name: 'zot',
    pushUrl: url,
    pullUrl: url,
    pid: server.pid,
    roles: { registry: server.pid },
    stop: () => server.stop(),
  }
}
