// Mirrorball as `npm start` runs it: bucket, origin and edge under one supervisor.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cliFile } from '../../test/support/stack.ts'
import { freePort } from '../../test/support/http/free-port.ts'
import { answers, processTree, startServer } from '../processes.ts'
import type { Peer } from './peer.ts'

/** How the edge runs and reads the bucket. */
export type EdgeForm = 'node, folder' | 'node, HTTP' | 'workerd'

const edgeOptions: Readonly<Record<EdgeForm, readonly string[]>> = {
  'node, folder': ['--edge', 'node'],
  'node, HTTP': ['--edge', 'node', '--edge-bucket-access', 'http'],
  workerd: ['--edge', 'workerd'],
}

/**
 * @param folder for its data, which must not exist yet
 * @param other.name where it is another than its edge's form gives
 * @param other.options of the command line, beside the usual ones
 */
export async function startMirrorball(
  folder: string,
  edge: EdgeForm = 'node, folder',
  other: { readonly name?: string; readonly options?: readonly string[] } = {},
): Promise<Peer> {
  const [originPort, bucketPort, edgePort] = [await freePort(), await freePort(), await freePort()]
  const listen = (part: string, port: number) => `--${part}-listen=127.0.0.1:${port}`
  const server = startServer(
    process.execPath,
    [
      cliFile,
      'up',
      `--data-dir=${folder}`,
      '--log-level=warn',
      listen('origin', originPort),
      listen('bucket', bucketPort),
      listen('edge', edgePort),
      ...edgeOptions[edge],
      ...(other.options ?? []),
    ],
    `${folder}.log`,
  )
  const url = (port: number) => `http://127.0.0.1:${port}`
  await answers(`${url(edgePort)}/v2/`)
  return {
    name: other.name ?? (edge === 'node, folder' ? 'Mirrorball' : `Mirrorball (edge: ${edge})`),
    pushUrl: url(originPort),
    pullUrl: url(edgePort),
    bucketFolder: join(folder, 'bucket'),
    pid: server.pid,
    roles: await partsOf(server.pid),
    stop: () => server.stop(),
  }
}

/** The parts by name, as their command lines end. */
async function partsOf(pid: number): Promise<Record<string, number>> {
  const parts: Record<string, number> = {}
  for (const each of await processTree(pid)) {
    const commandLine = (await readFile(`/proc/${each}/cmdline`, 'utf8')).split('\0').filter((word) => word !== '')
    const last = commandLine.at(-1) ?? ''
    if (['bucket', 'origin', 'edge'].includes(last)) parts[last] = each
  }
  return parts
}
