// A Docker daemon of our own, away from any that the machine runs: its folders, socket and containerd are under one
// temporary folder. Needs root.

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { findClient, runClient } from './clients.ts'
import { eventually, temporaryFolder } from './stack.ts'

export interface Dockerd {
  /** Runs the docker CLI against this daemon; returns what it printed. */
  readonly docker: (...args: readonly string[]) => Promise<string>
  /** Ends the daemon and removes everything it kept. */
  stop(): Promise<void>
}

/** Starts the daemon and waits until it answers. Rejects with its log where it ends before. */
export async function startDockerd(): Promise<Dockerd> {
  const program = findClient('dockerd')
  if (program === undefined) throw new Error('dockerd is not installed')
  const folder = await temporaryFolder()
  const at = (name: string) => join(folder.path, name)
  const socket = `unix://${at('docker.sock')}`
  // No bridge and no firewall rules: images need neither, and the machine's network stays as it is.
  const child = spawn(
    program,
    [
      `--data-root=${at('data')}`,
      `--exec-root=${at('exec')}`,
      `--pidfile=${at('docker.pid')}`,
      `--host=${socket}`,
      '--iptables=false',
      '--ip6tables=false',
      '--bridge=none',
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const log: string[] = []
  for (const output of [child.stdout, child.stderr]) output.on('data', (text: Buffer) => log.push(text.toString()))
  let over = false
  const ended = new Promise<void>((done) => {
    child.once('close', () => {
      over = true
      done()
    })
  })
  // Credentials and contexts of whoever runs the tests stay out of it.
  const environment = { DOCKER_CONFIG: at('config') }
  const docker = (...args: readonly string[]) => runClient('docker', ['-H', socket, ...args], environment)
  const stop = async () => {
    child.kill('SIGTERM')
    await ended
    await folder.remove()
  }

  let lastAnswer: unknown = 'none'
  const answers = async () => {
    try {
      // Without a daemon some versions of the CLI print nothing and exit with 0.
      return (await docker('info', '--format', '{{.ServerVersion}}')).trim() !== ''
    } catch (error) {
      lastAnswer = error
      return false
    }
  }
  try {
    await eventually('dockerd answers', () => over || answers(), 60_000)
    if (over) throw new Error('dockerd ended')
  } catch (error) {
    await stop()
    throw new Error(`${String(error)}; last answer: ${String(lastAnswer)}; its log:\n${log.join('')}`, { cause: error })
  }
  return { docker, stop }
}
