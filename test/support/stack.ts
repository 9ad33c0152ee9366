// The whole system as users run it: real processes, on free loopback ports, with a data folder of their own.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import type { ReadyMessage } from '../../origin/process/service.ts'

export const projectFolder = resolve(import.meta.dirname, '../..')
/** What users run. */
export const cliFile = (createRequire(import.meta.url)('../../bin/bundle.cjs') as BundleModule).bundle(
  projectFolder,
  'origin/cli/main.ts',
)

interface BundleModule {
  bundle(root: string, program: string): string
}

/** One line of a process's log. */
export type LogLine = Readonly<Record<string, string | number | undefined>>

export interface Part {
  readonly child: ChildProcess
  readonly url: string
  /** All it has logged so far. */
  readonly log: readonly LogLine[]
  /** What it printed that is no JSON. */
  readonly text: () => string
  /** SIGTERM, then waits for the end. Returns the exit code. */
  stop(): Promise<number | null>
  /** SIGKILL, then waits for the end. */
  kill(): Promise<void>
}

/** A new folder under the system's temporary one, and how to remove it. */
export async function temporaryFolder(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'mirrorball-test-'))
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}

/** Starts one verb of the CLI and waits until it says that it is ready. Rejects with what it printed where it ends before. */
export async function startPart(
  verb: 'up' | 'bucket' | 'origin' | 'edge' | 'swarm',
  options: Readonly<Record<string, string>>,
): Promise<Part> {
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value])
  const child = spawn(process.execPath, [cliFile, verb, ...args], {
    cwd: tmpdir(),
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const log: LogLine[] = []
  const text: string[] = []
  const ended = new Promise<number | null>((done) => child.once('close', (code) => done(code)))
  const ready = Promise.withResolvers<string>()
  const hear = (line: string) => {
    const entry = parseLine(line)
    if (entry === undefined) text.push(line)
    else log.push(entry)
  }
  for (const output of [child.stdout, child.stderr])
    if (output !== null) createInterface({ input: output }).on('line', hear)
  child.once('message', (message) => ready.resolve((message as ReadyMessage).url))
  void ended.then((code) => ready.reject(new Error(`${verb} ended with ${code}:\n${text.join('\n')}`)))
  const url = await ready.promise
  return {
    child,
    url,
    log,
    text: () => text.join('\n'),
    stop() {
      child.kill('SIGTERM')
      return ended
    },
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

function parseLine(line: string): LogLine | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    return JSON.parse(line) as LogLine
  } catch {
    return undefined
  }
}

export type EdgeRuntime = 'node' | 'workerd'

export interface Stack {
  readonly up: Part
  readonly originUrl: string
  readonly edgeUrl: string
  readonly bucketUrl: string
  readonly dataFolder: string
  /** Lines of one part's log. */
  log(part: 'origin' | 'edge' | 'bucket'): readonly LogLine[]
  stop(): Promise<void>
}

/**
 * Bucket, origin and edge under the supervisor.
 * @param dataFolder kept where it is given, else temporary
 * @param options of the command line, beside those for folder, runtime and ports
 */
export async function startStack(
  runtime: EdgeRuntime,
  dataFolder?: string,
  options: Readonly<Record<string, string>> = {},
): Promise<Stack> {
  const temporary = dataFolder === undefined ? await temporaryFolder() : undefined
  const folder = dataFolder ?? temporary?.path ?? ''
  const up = await startPart('up', { 'data-dir': folder, edge: runtime, ...anyPorts, ...options })
  const readyLine = (part: string) => up.log.find((line) => line['part'] === part && line['msg'] === 'ready')
  // On S3 the bucket is no part of ours.
  const s3Url = options['bucket-s3-url']
  const parts = s3Url === undefined ? ['origin', 'edge', 'bucket'] : ['origin', 'edge']
  await eventually('every part logs its address', () => parts.every((part) => readyLine(part)))
  const url = (part: string) => String(readyLine(part)?.['url'])
  return {
    up,
    originUrl: url('origin'),
    edgeUrl: url('edge'),
    bucketUrl: s3Url ?? url('bucket'),
    dataFolder: folder,
    log: (part) => up.log.filter((line) => line['part'] === part),
    async stop() {
      await up.stop()
      await temporary?.remove()
    },
  }
}

export const anyPorts = {
  'origin-listen': '127.0.0.1:0',
  'bucket-listen': '127.0.0.1:0',
  'edge-listen': '127.0.0.1:0',
} as const

/** Greatest memory a process has held so far, in MiB (Linux). */
export async function peakMemoryMib(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024
}

/** A process and those that it has started, of which workerd is one. */
export async function withChildren(pid: number): Promise<readonly number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  const below = await Promise.all(children.split(' ').filter(Boolean).map(Number).map(withChildren))
  return [pid, ...below.flat()]
}

/** Asks until it is so; a state is awaited, not slept for. Rejects after `withinMs`. */
export async function eventually(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  withinMs = 10_000,
): Promise<void> {
  const deadline = Date.now() + withinMs
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`${what}: not within ${withinMs} ms`)
    await new Promise((next) => setTimeout(next, 20))
  }
}
