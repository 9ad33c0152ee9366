// CPU time of the worker's process for requests of a kind. Miniflare plays R2 and KV in that very process, so what is
// measured is more than a worker takes; no request here is one that lists or writes.

import type { MeasuredRegistry } from './measured.ts'

export interface Cpu {
  readonly what: string
  readonly msPerRequest: number
}

const requests = 1000

/** Requests before the measured ones, until the code is compiled. */
const warmUp = 300

export async function measureCpu({ ask, push, workerCpuMs }: MeasuredRegistry): Promise<readonly Cpu[]> {
  const { tag, digest, blobs } = await push('cpu')
  const kinds = [
    ['`/v2/`', '/v2/'],
    ['manifest by tag, from memory', `/v2/public/app/manifests/${tag}`],
    ['manifest by digest, from memory', `/v2/public/app/manifests/${digest}`],
    ['blob, redirected again within a minute', `/v2/public/app/blobs/${blobs[0]}`],
  ] as const
  const measured: Cpu[] = []
  for (const [what, path] of kinds) {
    const run = async (times: number) => {
      for (let at = 0; at < times; at++) await (await ask('cpu', path)).arrayBuffer()
    }
    await run(warmUp)
    const before = await workerCpuMs()
    await run(requests)
    measured.push({ what, msPerRequest: ((await workerCpuMs()) - before) / requests })
  }
  return measured
}
