// Forta's Disco over a Kubo node, from a binary that DISCO_BIN names.

import { writeFile } from 'node:fs/promises'
import { freePort } from '../../test/support/http/free-port.ts'
import { answers, startServer } from '../processes.ts'
import type { Peer } from './peer.ts'

/** @param folder beside which its files are @param kuboUrl of the RPC of the node that keeps its content */
export async function startDisco(program: string, folder: string, kuboUrl: string): Promise<Peer> {
  const [port, innerPort, debugPort] = [await freePort(), await freePort(), await freePort()]
  // JSON is YAML. It logs as little as Mirrorball is told to here: faults.
  const config = {
    version: '0.1',
    log: { level: 'error', accesslog: { disabled: true } },
    storage: {
      ipfs: { router: { nodes: [{ url: kuboUrl }] } },
      maintenance: { uploadpurging: { enabled: false } },
    },
    http: { addr: `:${innerPort}`, debug: { addr: `127.0.0.1:${debugPort}` } },
  }
  const configFile = `${folder}.yaml`
  await writeFile(configFile, JSON.stringify(config))
  const environment = { REGISTRY_CONFIGURATION_PATH: configFile, DISCO_PORT: String(port) }
  const server = startServer(program, [], `${folder}.log`, environment)
  const url = `http://127.0.0.1:${port}`
  await answers(`${url}/v2/`)
  return {
    name: 'Disco',
    pushUrl: url,
    pullUrl: url,
    pid: server.pid,
    roles: { registry: server.pid },
    stop: () => server.stop(),
  }
}
