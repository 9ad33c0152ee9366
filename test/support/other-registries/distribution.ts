// CNCF Distribution, the registry whose layout our bucket shares, over a folder or on S3.

import { spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { S3Access } from '../../../origin/bucket/s3-connection.ts'
import { findClient } from '../clients/programs.ts'
import { temporaryFolder } from '../stack.ts'

export interface Distribution {
  readonly url: string
  stop(): Promise<void>
}

/** Serves a folder or a bucket in place. Rejects with its log where it does not start. */
export async function startDistribution(place: string | S3Access): Promise<Distribution> {
  const program = findClient('registry')
  if (program === undefined) throw new Error('registry is not installed')
  const own = await temporaryFolder()
  const configFile = join(own.path, 'config.yaml')
  // At level `info` it tells which port it took. JSON is YAML.
  const config = {
    version: '0.1',
    log: { level: 'info', formatter: 'json', accesslog: { disabled: true } },
    storage: typeof place === 'string' ? { filesystem: { rootdirectory: place } } : { s3: s3Parameters(place) },
    http: { addr: '127.0.0.1:0' },
  }
  await writeFile(configFile, JSON.stringify(config))
  const child = spawn(program, ['serve', configFile], {
    // Not ours: variables named REGISTRY_… would override the file. And nobody is there to take its traces.
    env: { OTEL_TRACES_EXPORTER: 'none' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = new Promise<void>((done) => child.once('close', () => done()))
  const stop = async () => {
    child.kill('SIGTERM')
    await ended
    await own.remove()
  }

  const log: string[] = []
  const address = Promise.withResolvers<string>()
  for (const output of [child.stdout, child.stderr]) {
    createInterface({ input: output }).on('line', (line) => {
      log.push(line)
      const listening = /listening on (127\.0\.0\.1:\d+)/.exec(line)?.[1]
      if (listening !== undefined) address.resolve(listening)
    })
  }
  void ended.then(() => address.reject(new Error(`Distribution did not start:\n${log.join('\n')}`)))
  try {
    return { url: `http://${await address.promise}`, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** What the drivers of Distribution and of its descendants are told of a bucket. */
export function s3Parameters(access: S3Access): Readonly<Record<string, string | boolean>> {
  return {
    regionendpoint: access.endpoint ?? '',
    region: access.region,
    bucket: access.bucket,
    rootdirectory: access.prefix ?? '',
    forcepathstyle: true,
    accesskey: access.accessKeyId,
    secretkey: access.secretAccessKey,
  }
}
