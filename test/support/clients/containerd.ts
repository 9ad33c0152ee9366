// A containerd: its folders and sockets are under one temporary folder, and it has nothing of Kubernetes.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { temporaryFolder } from '../stack.ts'
import { startDaemon } from './daemon.ts'
import { runClient } from './programs.ts'

export interface Containerd {
  /** Runs ctr against this daemon; returns what it printed. */
  readonly ctr: (...args: readonly string[]) => Promise<string>
  /** Has `blobs/`, as in an OCI layout. */
  readonly contentStore: string
  /** Ends the daemon and removes everything it kept. */
  readonly stop: () => Promise<void>
}

export async function startContainerd(): Promise<Containerd> {
  const folder = await temporaryFolder()
  const at = (name: string) => join(folder.path, name)
  const socket = at('containerd.sock')
  await writeFile(
    at('config.toml'),
    [
      'version = 2',
      `root = "${at('root')}"`,
      `state = "${at('state')}"`,
      'disabled_plugins = ["io.containerd.grpc.v1.cri"]',
      `[grpc]\naddress = "${socket}"`,
      `[ttrpc]\naddress = "${socket}.ttrpc"`,
    ].join('\n'),
  )
  const ctr = (...args: readonly string[]) => runClient('ctr', ['--address', socket, ...args])
  try {
    const stop = await startDaemon('containerd', ['--config', at('config.toml')], async () => {
      await ctr('version')
      return true
    })
    return {
      ctr,
      contentStore: at('root/io.containerd.content.v1.content'),
      async stop() {
        await stop()
        await folder.remove()
      },
    }
  } catch (error) {
    await folder.remove()
    throw error
  }
}
