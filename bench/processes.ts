// Peers as child processes: started, watched through /proc, ended. Linux only, as all of the bench.

import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'

export interface Server {
  readonly pid: number
  /** SIGTERM, then waits for the end. */
  stop(): Promise<void>
}

/** Starts a server whose output goes to a file, as it would in service. */
export function startServer(
  program: string,
  args: readonly string[],
  logFile: string,
  environment: Readonly<Record<string, string>> = {},
): Server & { readonly child: ChildProcess } {
  const log = createWriteStream(logFile)
  const child = spawn(program, [...args], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  child.stdout?.pipe(log)
  child.stderr?.pipe(log)
  const ended = new Promise<void>((done) => child.once('close', () => done()))
  if (child.pid === undefined) throw new Error(`${program} did not start`)
  return {
    pid: child.pid,
    child,
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}

/** Waits until an HTTP server answers at all. */
export async function answers(url: string, withinMs = 30_000): Promise<void> {
  const deadline = Date.now() + withinMs
  for (;;) {
    try {
      await (await fetch(url)).body?.cancel()
      return
    } catch (error) {
      if (Date.now() > deadline) throw new Error(`${url} does not answer`, { cause: error })
      await new Promise((next) => setTimeout(next, 50))
    }
  }
}

/** A process and all that it started, and what those started. */
export async function processTree(pid: number): Promise<number[]> {
  const parents = new Map<number, number[]>()
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const fields = await statFields(Number(entry))
    if (fields === undefined) continue
    const parent = Number(fields[1])
    parents.set(parent, [...(parents.get(parent) ?? []), Number(entry)])
  }
  const tree = [pid]
  for (const each of tree) tree.push(...(parents.get(each) ?? []))
  return tree
}

/** CPU seconds that a process tree has used so far, in user and in system mode. */
export async function cpuSeconds(pid: number): Promise<number> {
  let ticks = 0
  for (const each of await processTree(pid)) {
    const fields = await statFields(each)
    ticks += Number(fields?.[11] ?? 0) + Number(fields?.[12] ?? 0)
  }
  return ticks / ticksPerSecond
}

/** Linux on every platform that Node runs on (USER_HZ). */
const ticksPerSecond = 100

/** Memory in MiB: held now, and the most that was ever held. */
export interface Memory {
  readonly residentMib: number
  readonly peakMib: number
}

export async function memoryOf(pid: number): Promise<Memory> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const mib = (field: string) => Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1024
  return { residentMib: mib('VmRSS'), peakMib: mib('VmHWM') }
}

/** Fields of /proc/PID/stat from the third on (the second may hold anything); undefined where the process is gone. */
async function statFields(pid: number): Promise<string[] | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  return text?.slice(text.lastIndexOf(')') + 2).split(' ')
}
