// Load over HTTP by wrk, which takes little of the machine for itself.

import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

export interface LoadResult {
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
}

export interface Load {
  readonly url: string
  /** Paths that are asked for in random order. */
  readonly paths: readonly string[]
  readonly connections: number
  readonly seconds: number
  /** With which every request is sent. */
  readonly headers?: Readonly<Record<string, string>>
  /** Values of Authorization, one of which each request has. */
  readonly authorizations?: readonly string[]
}

/** Rejects where a connection failed or an answer was no success (redirects are): a fast failure is no figure. */
export async function runLoad({
  url,
  paths,
  connections,
  seconds,
  headers = {},
  authorizations = [],
}: Load): Promise<LoadResult> {
  const folder = await mkdtemp(join(tmpdir(), 'mirrorball-load-'))
  try {
    const script = join(folder, 'load.lua')
    await writeFile(join(folder, 'paths'), paths.join('\n'))
    await writeFile(join(folder, 'authorizations'), authorizations.join('\n'))
    await writeFile(script, luaScript(folder, headers))
    const args = ['-t', '1', '-c', String(connections), '-d', `${seconds}s`, '-s', script, url]
    const { stdout } = await promisify(execFile)('wrk', args)
    const figures = JSON.parse(stdout.slice(stdout.lastIndexOf('\n{'))) as Record<string, number>
    const { requests = 0, durationUs = 1, p50Us = 0, p99Us = 0, failed = 0 } = figures
    if (failed > 0 || requests === 0) throw new Error(`of ${requests} requests to ${url} ${failed} failed`)
    return { requestsPerSecond: requests / (durationUs / 1e6), p50Ms: p50Us / 1000, p99Ms: p99Us / 1000 }
  } finally {
    await rm(folder, { recursive: true })
  }
}

function luaScript(folder: string, headers: Readonly<Record<string, string>>): string {
  return `
    local paths, authorizations = {}, {}
    for line in io.lines(${JSON.stringify(join(folder, 'paths'))}) do paths[#paths + 1] = line end
    for line in io.lines(${JSON.stringify(join(folder, 'authorizations'))}) do authorizations[#authorizations + 1] = line end
    ${Object.entries(headers)
      .map(([name, value]) => `wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`)
      .join('\n')}
    request = function()
      if #authorizations > 0 then wrk.headers["Authorization"] = authorizations[math.random(#authorizations)] end
      return wrk.format("GET", paths[math.random(#paths)])
    end
    done = function(summary, latency)
      local e = summary.errors
      io.write(string.format('\\n{"requests":%d,"durationUs":%d,"p50Us":%d,"p99Us":%d,"failed":%d}',
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
        e.connect + e.read + e.write + e.status + e.timeout))
    end`
}
