// A real Kubo on loopback that knows nobody, and the program that drives it.

import { execFile, spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { temporaryFolder } from './stack.ts'

export interface KuboNode {
  /** Its swarm address, with its id. */
  readonly address: string
  /** Runs `ipfs` with these arguments against the node; what it printed. Rejects with all of it where it fails. */
  run(args: readonly string[], input?: Uint8Array): Promise<Buffer>
  stop(): Promise<void>
}

/** What stands in the way of running Kubo; undefined where nothing does. */
export function missingKubo(): string | undefined {
  if (findKubo() !== undefined) return undefined
  const reason = 'ipfs is not installed (go build ./cmd/ipfs of github.com/ipfs/kubo@v0.43.0)'
  if (process.env['MIRRORBALL_TEST_REQUIRE_CLIENTS'] !== undefined) throw new Error(`required here: ${reason}`)
  return reason
}

function findKubo(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  const all = [...folders, join(process.env['HOME'] ?? '/', 'go', 'bin')]
  return all
    .map((folder) => join(folder, 'ipfs'))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}

export async function startKuboNode(): Promise<KuboNode> {
  const program = findKubo()
  if (program === undefined) throw new Error('ipfs is not installed')
  const folder = await temporaryFolder()
  const env = { ...process.env, IPFS_PATH: join(folder.path, 'ipfs'), IPFS_TELEMETRY: 'off' }

  async function run(args: readonly string[], input: Uint8Array = new Uint8Array()): Promise<Buffer> {
    const running = promisify(execFile)(program as string, [...args], {
      env,
      encoding: 'buffer',
      maxBuffer: 64 * 1024 * 1024,
      timeout: 120_000,
    })
    running.child.stdin?.end(input)
    return (await running).stdout
  }

  await run(['init', '--profile', 'test'])
  const settings = {
    'Addresses.API': '/ip4/127.0.0.1/tcp/0',
    'Addresses.Gateway': [],
    'Addresses.Swarm': ['/ip4/127.0.0.1/tcp/0'],
    Bootstrap: [],
    'Routing.Type': 'none',
    'AutoConf.Enabled': false,
    'AutoTLS.Enabled': false,
  }
  for (const [name, value] of Object.entries(settings)) await run(['config', '--json', name, JSON.stringify(value)])

  const daemon = spawn(program, ['daemon'], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  await new Promise<void>((resolve, reject) => {
    const onData = (data: Buffer) => {
      said += data.toString()
      if (said.includes('Daemon is ready')) resolve()
    }
    daemon.stdout.on('data', onData)
    daemon.stderr.on('data', onData)
    daemon.once('exit', (code) => reject(new Error(`ipfs daemon ended with ${code}:\n${said}`)))
  })

  return {
    address: (JSON.parse((await run(['id'])).toString()) as { Addresses: [string] }).Addresses[0],
    run,
    async stop() {
      const ended = new Promise((resolve) => daemon.once('exit', resolve))
      daemon.kill('SIGTERM')
      await ended
      await folder.remove()
    },
  }
}
