// The body of a large blob: where Mirrorball sends the client to, beside Distribution's and nginx's.

import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { pushBlob } from '../../test/support/http-client.ts'
import { randomBytes } from '../../test/support/image.ts'
import { startDistribution } from '../peers/distribution.ts'
import { startMirrorball } from '../peers/mirrorball.ts'
import { startNginx } from '../peers/nginx.ts'
import { startZot } from '../peers/zot.ts'
import { cpuSeconds } from '../processes.ts'
import { interleave, median, ratioOf } from '../statistics.ts'
import type { Line, Measure } from './measure.ts'

const sizeBytes = 200_000_000

interface Source {
  readonly name: string
  readonly url: string
  readonly pid: number
}

export const blobBody: Measure = {
  name: 'blob-body',
  about:
    'curl gets a blob of 200 MB and throws it away; at Mirrorball it asks the edge and follows the redirect to the bucket process. CPU is what the server’s processes used, per GiB.',
  async run(options) {
    const { folder } = options
    await mkdir(folder, { recursive: true })
    const started: { stop(): Promise<void> }[] = []
    try {
      const peers = [await startMirrorball(join(folder, 'mirrorball'))]
      started.push(...peers)
      const distribution = await startDistribution(join(folder, 'distribution'))
      started.push(distribution)
      peers.push(distribution)
      if (options.zot !== undefined) {
        const zot = await startZot(options.zot, join(folder, 'zot'))
        started.push(zot)
        peers.push(zot)
      }
      const content = randomBytes('blob body', sizeBytes)
      const sources: Source[] = []
      let digest = ''
      for (const { name, pushUrl, pullUrl, pid } of peers) {
        digest = await pushBlob(pushUrl, 'bench/body', content)
        sources.push({ name, pid, url: `${pullUrl}/v2/bench/body/blobs/${digest}` })
      }
      const nginx = await startNginx(distribution.bucketFolder ?? '', join(folder, 'nginx'))
      started.push(nginx)
      const hex = digest.slice('sha256:'.length)
      const path = `/docker/registry/v2/blobs/sha256/${hex.slice(0, 2)}/${hex}/data`
      sources.push({ name: 'nginx', pid: nginx.pid, url: `${nginx.url}${path}` })

      const results = await interleave(sources, options, async (source, round) => {
        const before = await cpuSeconds(source.pid)
        const megabytesPerSecond = await download(source.url)
        const cpu = (await cpuSeconds(source.pid)) - before
        options.say(`blob body, round ${round + 1}: ${source.name} ${Math.round(megabytesPerSecond)} MB/s`)
        return { megabytesPerSecond, cpuPerGib: cpu / (sizeBytes / 1024 ** 3) }
      })
      const speeds = (source: Source | undefined) =>
        (source === undefined ? [] : (results.get(source) ?? [])).map((result) => result.megabytesPerSecond)
      return sources.map((source, at): Line => {
        const cpu = median((results.get(source) ?? []).map(({ cpuPerGib }) => cpuPerGib))
        const figure = `${Math.round(median(speeds(source)))} MB/s · ${cpu.toFixed(2)} CPU-s/GiB`
        const line = { what: 'blob of 200 MB', peer: source.name, figure }
        return at === 0 ? line : { ...line, ratio: ratioOf(speeds(sources[0]), speeds(source)) }
      })
    } finally {
      for (const each of started.toReversed()) await each.stop()
    }
  },
}

/** Returns MB/s. Rejects where it did not come whole. */
async function download(url: string): Promise<number> {
  const format = '{"status":%{http_code},"bytes":%{size_download},"seconds":%{time_total}}'
  const { stdout } = await promisify(execFile)('curl', ['-sSL', '-o', '/dev/null', '-w', format, url])
  const { status, bytes, seconds } = JSON.parse(stdout) as { status: number; bytes: number; seconds: number }
  if (status !== 200 || bytes !== sizeBytes) throw new Error(`${url} was answered ${status} with ${bytes} bytes`)
  return bytes / 1e6 / seconds
}
