// S3 servers for tests: R2 as Miniflare has it, which needs nothing but npm, and others where they are installed.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { CreateBucketCommand } from '@aws-sdk/client-s3'
import { connectS3, type S3Access, type S3Connection } from '../../../origin/bucket/s3-connection.ts'
import { systemClock } from '../../../origin/compose/system-ports.ts'
import { listPages } from '../../../origin/bucket/s3-listing.ts'
import { freePort } from '../http/free-port.ts'
import { eventually, temporaryFolder } from '../stack.ts'
import { bucket, key, startLocalCloudflare } from './local-cloudflare.ts'

export interface S3Server {
  readonly access: S3Access
  stop(): Promise<void>
}

export interface S3ServerKind {
  readonly name: string
  /** Why it cannot be started here; undefined: it can. */
  readonly missing: string | undefined
  /** Of the times in its listings. */
  readonly timeStepMs: number
  start(): Promise<S3Server>
}

export const miniflareS3: S3ServerKind = {
  name: "Miniflare's R2",
  missing: undefined,
  timeStepMs: 0,
  async start() {
    const { s3, stop } = await startLocalCloudflare()
    return { access: s3, stop }
  },
}

/** A server that is a program: told a folder and an address of its own. */
function program(
  name: string,
  variable: string,
  args: (folder: string, address: string) => readonly string[],
  env: Readonly<Record<string, string>>,
): S3ServerKind {
  const binary = process.env[variable]
  return {
    name,
    missing: binary === undefined ? `${variable} names no ${name}` : undefined,
    timeStepMs: 1000,
    async start() {
      const folder = await temporaryFolder()
      const address = `127.0.0.1:${await freePort()}`
      const child = spawn(binary ?? '', args(folder.path, address), {
        cwd: folder.path,
        stdio: 'ignore',
        env: { PATH: process.env['PATH'], HOME: folder.path, ...env },
      })
      const ended = once(child, 'close')
      const access = { endpoint: `http://${address}`, region: 'us-east-1', bucket, ...key }
      const answers = async () => (await fetch(access.endpoint).catch(() => undefined)) !== undefined
      await eventually(`${name} answers`, answers)
      await makeBucket(connectS3({ access, clock: systemClock, timeoutMs: 10_000 }))
      return {
        access,
        async stop() {
          child.kill('SIGKILL')
          await ended
          await folder.remove()
        },
      }
    },
  }
}

/** Options of the command line for a registry on a server. */
export function s3Settings({ endpoint, region, bucket, prefix, accessKeyId, secretAccessKey }: S3Access) {
  return {
    'bucket-s3-url': `${endpoint}/${bucket}`,
    ...(prefix ? { 'bucket-prefix': prefix.slice(0, -1) } : {}),
    'bucket-region': region,
    'bucket-access-key-id': accessKeyId,
    'bucket-secret-access-key': secretAccessKey,
  }
}

/** Every object of a bucket with its ETag, whatever prefix the registry has in it. */
export async function objectsIn(access: S3Access): Promise<Readonly<Record<string, string>>> {
  const s3 = connectS3({ access: { ...access, prefix: '' }, clock: systemClock, timeoutMs: 10_000 })
  const found: Record<string, string> = {}
  for await (const { objects } of listPages(s3, '', { level: 'all' }, { signal: new AbortController().signal }))
    for (const { key, etag } of objects) found[key] = etag
  return found
}

async function makeBucket(s3: S3Connection): Promise<void> {
  await s3.call(
    'PUT of the bucket',
    (client, abortSignal) => client.send(new CreateBucketCommand({ Bucket: s3.bucket }), { abortSignal }),
    { signal: new AbortController().signal },
  )
}

export const versitygw = program(
  'versitygw',
  'VERSITYGW_BIN',
  (folder, address) => [
    '--port',
    address,
    '--access',
    key.accessKeyId,
    '--secret',
    key.secretAccessKey,
    '--quiet',
    '--keep-alive',
    'posix',
    folder,
  ],
  {},
)

export const minio = program(
  'MinIO',
  'MINIO_BIN',
  (folder, address) => ['server', '--quiet', '--address', address, folder],
  { MINIO_ROOT_USER: key.accessKeyId, MINIO_ROOT_PASSWORD: key.secretAccessKey, MINIO_BROWSER: 'off' },
)

/** All of them, as suites run on each. */
export const s3Servers = [miniflareS3, versitygw, minio] as const
