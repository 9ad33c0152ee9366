// An S3 server over a folder, from a binary that VERSITYGW_BIN names: for registries that keep their content on S3.

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '../../test/support/http/free-port.ts'
import { answers, startServer, type Server } from '../processes.ts'

export interface S3Server extends Server {
  /** Without a bucket. */
  readonly url: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Makes an empty bucket. */
  makeBucket(name: string): Promise<void>
}

/** @param folder for its data, which must not exist yet */
export async function startVersitygw(program: string, folder: string): Promise<S3Server> {
  const buckets = join(folder, 'buckets')
  await mkdir(buckets, { recursive: true })
  const address = `127.0.0.1:${await freePort()}`
  const [accessKeyId, secretAccessKey] = ['bench', 'a-secret-of-the-bench']
  const args = ['--port', address, '--access', accessKeyId, '--secret', secretAccessKey, '--quiet', '--keep-alive']
  const server = startServer(program, [...args, 'posix', buckets], join(folder, 'log'))
  const url = `http://${address}`
  await answers(url)
  return {
    url,
    region: 'us-east-1',
    accessKeyId,
    secretAccessKey,
    pid: server.pid,
    stop: () => server.stop(),
    // A bucket is a folder there.
    makeBucket: (name) => mkdir(join(buckets, name)),
  }
}
