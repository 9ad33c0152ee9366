// The supervisor: runs bucket, origin and edge as processes of their own, and stops them together.

import { type ChildProcess, spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { tlsFiles } from '../config/addresses.ts'
import type { Config } from '../config/schema.ts'
import { settings } from '../config/settings.ts'
import { onHangUp } from './hang-up.ts'
import type { ReadyMessage, Running } from './service.ts'

type Part = 'bucket' | 'origin' | 'edge'

interface StartedPart {
  readonly part: Part
  readonly child: ChildProcess
  /** Its address, once it is ready. Rejects where it ends before. */
  readonly url: Promise<string>
  readonly exited: Promise<void>
}

export interface UpOptions {
  readonly config: Config
  /** As given to this process, to hand on to its parts. */
  readonly options: Readonly<Record<string, string | undefined>>
  /** Where people read, e.g. standard output. */
  readonly say: (text: string) => void
}

/** Starts all parts. If one ends by itself the rest is stopped and the process ends with 1. */
export async function startAll({ config, options, say }: UpOptions): Promise<Running> {
  const tls = tlsFiles(config)
  const environment = { ...process.env, ...asEnvironment(options) }
  const started: StartedPart[] = []
  let stopping = false
  let ignoreHangUps = () => {}

  function readCertificateAgain(): void {
    for (const { part, child } of started) if (part !== 'bucket') child.kill('SIGHUP')
  }

  function start(part: Part, extra: Record<string, string> = {}): Promise<string> {
    const running = startPart(part, { ...environment, ...extra })
    // At once, ready or not: whatever was started has to be stopped.
    started.push(running)
    let ready = false
    running.url.then(
      () => (ready = true),
      () => {},
    )
    void running.exited.then(() => {
      endGroup(running.child)
      if (stopping || !ready) return
      process.stderr.write(`mirrorball: the ${part} ended by itself; stopping the rest\n`)
      process.exitCode = 1
      process.kill(process.pid, 'SIGTERM')
    })
    return running.url
  }

  /** The edge first, which needs the others, then the origin; last the bucket, which clients may still be reading from. */
  async function stop(): Promise<void> {
    stopping = true
    ignoreHangUps()
    for (const part of ['edge', 'origin', 'bucket']) {
      for (const running of started.filter((each) => each.part === part)) {
        running.child.kill('SIGTERM')
        await running.exited
      }
    }
  }

  try {
    // On S3 the bucket's server is none of ours.
    const startBucket = async () => config.bucket.s3_url ?? start('bucket')
    const [bucket, origin] = await Promise.all([startBucket(), start('origin')])
    const edge = await start('edge', {
      MIRRORBALL_BUCKET_URL: config.bucket.url ?? bucket,
      // Not as `edge.origin_url`: what nobody set must not look as if somebody had.
      MIRRORBALL_ORIGIN_LISTEN: listenAddress(origin),
    })
    if (tls !== undefined) ignoreHangUps = onHangUp(readCertificateAgain)
    say(readyText(config, { bucket, origin, edge }))
    return { url: edge, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Where a part listens, by its URL. */
function listenAddress(url: string): string {
  const { hostname, port, protocol } = new URL(url)
  return `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`
}

/** The same program under another verb, in a process group of its own, so that Ctrl-C reaches only the supervisor, which stops the parts in order. */
function startPart(part: Part, environment: Record<string, string | undefined>): StartedPart {
  const child = spawn(process.execPath, [process.argv[1] ?? '', part], {
    env: environment,
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const exited = new Promise<void>((done) => {
    child.once('exit', () => done())
    child.once('error', () => done())
  })
  const url = new Promise<string>((done, fail) => {
    child.once('message', (message) => done((message as ReadyMessage).url))
    void exited.then(() => fail(new Error(`the ${part} did not start; what it printed above says why`)))
  })
  return { part, url, child, exited }
}

/** What a part that died left behind in its process group (workerd) has nobody else to end it. */
function endGroup(child: ChildProcess): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, 'SIGTERM')
  } catch (error) {
    // Usually there is nothing left of the group.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

/** Command-line options as environment variables: the parts have options of their own. */
function asEnvironment(options: Readonly<Record<string, string | undefined>>): Record<string, string | undefined> {
  const environment: Record<string, string | undefined> = {}
  if (options['config'] !== undefined) environment['MIRRORBALL_CONFIG'] = options['config']
  for (const { option, environment: variable, environmentFile } of settings) {
    const given = options[option]
    if (given === undefined) continue
    environment[variable] = given
    // The option counts before both variables, of which only one may be set.
    if (environmentFile !== undefined) environment[environmentFile] = undefined
  }
  return environment
}

function readyText(config: Config, urls: { bucket: string; origin: string; edge: string }): string {
  const host = (url: string) => new URL(url).host.replace('127.0.0.1', 'localhost')
  return `
Mirrorball is ready.

  push    docker tag IMAGE ${host(urls.origin)}/IMAGE && docker push ${host(urls.origin)}/IMAGE
  pull    docker pull ${host(urls.edge)}/IMAGE
  data    ${resolve(config.data_dir)}
  stop    Ctrl-C

  origin ${urls.origin}   edge ${urls.edge} (${config.edge.runtime})   bucket ${urls.bucket}

`
}
