// Verbs of the command line that do something and end, as a person runs them.

import { execFile } from 'node:child_process'
import { tmpdir } from 'node:os'
import { cliFile } from './stack.ts'

export interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs one to its end. */
export function runVerb(dataFolder: string, ...args: readonly string[]): Promise<Ended> {
  return run([], [...args, '--data-dir', dataFolder])
}

/** Runs one to its end, whether it fails or not, and returns the greatest memory that it held, in MiB (Linux). */
export async function peakMemoryOfVerb(dataFolder: string, ...args: readonly string[]): Promise<number> {
  // Not what the system accounts a process with: that begins with the memory of the one which started it.
  const tell = `import fs from 'node:fs'; process.on('exit', () => fs.writeSync(2, fs.readFileSync('/proc/self/status')))`
  const { stderr } = await run(['--import', `data:text/javascript,${tell}`], [...args, '--data-dir', dataFolder])
  return Number(/VmHWM:\s+(\d+) kB/.exec(stderr)?.[1]) / 1024
}

function run(nodeOptions: readonly string[], args: readonly string[]): Promise<Ended> {
  return new Promise((done) => {
    const child = execFile(
      process.execPath,
      [...nodeOptions, cliFile, ...args],
      { cwd: tmpdir(), env: { ...process.env, NO_COLOR: '1' } },
      (_, stdout, stderr) => done({ code: child.exitCode ?? -1, stdout, stderr }),
    )
  })
}

/** The lines that it printed. Rejects with what it said where it fails. */
export async function linesOf(ended: Promise<Ended>): Promise<readonly string[]> {
  const { code, stdout, stderr } = await ended
  if (code !== 0) throw new Error(`ended with ${code}: ${stderr}`)
  return stdout.trimEnd().split('\n')
}
