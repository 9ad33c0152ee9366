// The worker over R2 beside cloudflare/serverless-registry over R2, both in the same workerd with the same local R2.

import { mkdir, readdir, readFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { buildWorker, compatibilityDate } from '../../origin/process/build-worker.ts'
import { type ManyTags, pushManyTags } from '../content.ts'
import { type LoadResult, runLoad } from '../load.ts'
import { startMirrorball } from '../peers/mirrorball.ts'
import { interleave, ratioOf } from '../statistics.ts'
import type { BenchOptions, Line, Measure } from './measure.ts'
import { acceptManifests, describe } from './requests.ts'

/** What serverless-registry wants to know its clients by; it serves nobody without. */
const credentials = { USERNAME: 'bench', PASSWORD: 'bench' }
const authorization = `Basic ${Buffer.from('bench:bench').toString('base64')}`

const name = 'bench/tags'

interface Subject {
  readonly name: string
  readonly url: string
  readonly paths: readonly string[]
  readonly headers: Readonly<Record<string, string>>
}

export const worker: Measure = {
  name: 'worker',
  about:
    'The worker in Miniflare with R2 and KV: 1,000 tags in random order, read from R2 at each request. serverless-registry runs in a Miniflare of the same version with R2 of its own, and checks a password.',
  async run(options) {
    await mkdir(options.folder, { recursive: true })
    const stops: (() => Promise<void>)[] = []
    try {
      const subjects = [await startOurs(options, stops)]
      if (options.serverlessRegistry !== undefined) subjects.push(await startTheirs(options.serverlessRegistry, stops))
      const lines: Line[] = []
      for (const connections of [1, 32]) lines.push(...(await measure(subjects, connections, options)))
      return lines
    } finally {
      for (const stop of stops.toReversed()) await stop()
    }
  },
}

async function measure(subjects: readonly Subject[], connections: number, options: BenchOptions): Promise<Line[]> {
  const what = `manifest by tag, ${connections === 1 ? 'one connection' : `${connections} connections`}`
  const results = await interleave(subjects, options, async ({ name, url, paths, headers }, round) => {
    const result = await runLoad({ url, paths, connections, seconds: options.loadSeconds, headers })
    options.say(`worker, ${what}, round ${round + 1}: ${name} ${describe([result])}`)
    return result
  })
  const rates = (rounds: readonly LoadResult[] = []) => rounds.map(({ requestsPerSecond }) => requestsPerSecond)
  const [ours] = [...results.values()]
  return subjects.map((subject, at): Line => {
    const rounds = results.get(subject) ?? []
    const line = { what, peer: subject.name, figure: describe(rounds) }
    return at === 0 ? line : { ...line, ratio: ratioOf(rates(ours), rates(rounds)), target: 1 }
  })
}

async function startOurs({ folder }: BenchOptions, stops: (() => Promise<void>)[]): Promise<Subject> {
  const script = join(folder, 'mirrorball.js')
  await buildWorker(script)
  const miniflare = await startMiniflare(script, {
    compatibilityDate: await compatibilityDate(),
    r2Buckets: ['BUCKET'],
    kvNamespaces: ['MANIFESTS'],
    bindings: { ON_LOOPBACK: 'true', ORIGIN_URL: 'https://origin.example.com', LOG_LEVEL: 'warn' },
  })
  stops.push(() => miniflare.dispose())
  const content = await fillR2(miniflare, join(folder, 'filled'))
  return {
    name: 'Mirrorball (worker)',
    url: (await miniflare.ready).href,
    paths: content.manifestPaths,
    headers: acceptManifests,
  }
}

/** Pushes to an origin, and puts what it wrote into R2: the layout is the same. */
async function fillR2(miniflare: Miniflare, folder: string): Promise<ManyTags> {
  const peer = await startMirrorball(folder)
  try {
    const content = await pushManyTags(peer.pushUrl, name)
    const bucket = await miniflare.getR2Bucket('BUCKET')
    const root = join(folder, 'bucket')
    for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
      const file = join(entry.parentPath, entry.name)
      if (entry.isFile()) await bucket.put(relative(root, file), await readFile(file))
    }
    return content
  } finally {
    await peer.stop()
  }
}

async function startTheirs(script: string, stops: (() => Promise<void>)[]): Promise<Subject> {
  const miniflare = await startMiniflare(script, {
    compatibilityDate: '2024-09-09',
    compatibilityFlags: ['nodejs_compat'],
    r2Buckets: ['REGISTRY'],
    bindings: credentials,
  })
  stops.push(() => miniflare.dispose())
  const url = (await miniflare.ready).href
  const content = await pushManyTags(url.replace(/\/$/, ''), name, { Authorization: authorization })
  return {
    name: 'serverless-registry',
    url,
    paths: content.manifestPaths,
    headers: { ...acceptManifests, Authorization: authorization },
  }
}

async function startMiniflare(
  scriptPath: string,
  options: {
    readonly compatibilityDate: string
    readonly compatibilityFlags?: string[]
    readonly r2Buckets: string[]
    readonly kvNamespaces?: string[]
    readonly bindings: Record<string, string>
  },
): Promise<Miniflare> {
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      host: '127.0.0.1',
      port: 0,
      cf: false,
      modules: true,
      modulesRoot: dirname(scriptPath),
      scriptPath,
      ...options,
    }),
  )
  await miniflare.ready
  return miniflare
}
