// A Docker daemon: its folders, socket and containerd are under one temporary folder.

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { temporaryFolder } from '../stack.ts'
import { startDaemon } from './daemon.ts'
import { runClient } from './programs.ts'
import { createCredentialFile, type CredentialFile } from './sign-in.ts'

export interface Dockerd {
  /** Runs the docker CLI against this daemon; returns what it printed. */
  readonly docker: (...args: readonly string[]) => Promise<string>
  readonly credentials: CredentialFile
  /** Ends the daemon and removes everything it kept. */
  readonly stop: () => Promise<void>
}

export async function startDockerd(): Promise<Dockerd> {
  const folder = await temporaryFolder()
  const at = (name: string) => join(folder.path, name)
  const socket = `unix://${at('docker.sock')}`
  // Credentials and contexts of whoever runs the tests stay out of it.
  await mkdir(at('config'))
  const credentials = await createCredentialFile(at('config'))
  const docker = (...args: readonly string[]) => runClient('docker', ['-H', socket, ...args], credentials.environment)
  try {
    const stop = await startDaemon(
      'dockerd',
      [
        `--data-root=${at('data')}`,
        `--exec-root=${at('exec')}`,
        `--pidfile=${at('docker.pid')}`,
        `--host=${socket}`,
        // No bridge and no firewall rules: images need neither, and the machine's network stays as it is.
        '--iptables=false',
        '--ip6tables=false',
        '--bridge=none',
      ],
      // Without a daemon some versions of the CLI print nothing and exit with 0.
      async () => (await docker('info', '--format', '{{.ServerVersion}}')).trim() !== '',
    )
    return {
      docker,
      credentials,
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
