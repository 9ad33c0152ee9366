// Small answers per second: manifests by tag, and blob redirects.

import { cp, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type ManyTags, pushManyTags } from '../content.ts'
import { type LoadResult, runLoad } from '../load.ts'
import { startDistribution } from '../peers/distribution.ts'
import { startMirrorball } from '../peers/mirrorball.ts'
import { startNginx } from '../peers/nginx.ts'
import type { Peer } from '../peers/peer.ts'
import { startZot } from '../peers/zot.ts'
import { interleave, median, type Ratio, ratioOf } from '../statistics.ts'
import type { BenchOptions, Line, Measure } from './measure.ts'

/** Docker's and the OCI's, as clients send them; without them a registry may refuse. */
export const acceptManifests = {
  Accept: [
    'application/vnd.oci.image.manifest.v1+json',
    'application/vnd.oci.image.index.v1+json',
    'application/vnd.docker.distribution.manifest.v2+json',
    'application/vnd.docker.distribution.manifest.list.v2+json',
  ].join(', '),
}

const name = 'bench/tags'

interface Target {
  readonly peer: Peer
  readonly content: ManyTags
}

/** What is asked of our rate over Distribution's, by the edge's form. */
const manifestTargets: Readonly<Record<string, number>> = { Mirrorball: 1.2, 'Mirrorball (edge: node, HTTP)': 0.9 }

export const requests: Measure = {
  name: 'requests',
  about:
    'wrk with one thread asks for 1,000 tags of one repository in random order, each with a manifest of 2 KB of its own, and for 1,000 blobs of 1 KiB. ' +
    'No peer caches tags. Distribution on files streams blobs; with its redirect middleware it answers as Mirrorball does. ' +
    'nginx serves the same manifests as files: what this machine can do at all.',
  async run(options) {
    const { folder } = options
    await mkdir(folder, { recursive: true })
    const peers: Peer[] = []
    const start = async (starting: Promise<Peer>) => {
      const peer = await starting
      peers.push(peer)
      return { peer, content: await pushManyTags(peer.pushUrl, name) }
    }
    try {
      const ours = await start(startMirrorball(join(folder, 'requests-folder')))
      const overHttp = await start(startMirrorball(join(folder, 'requests-http'), 'node, HTTP'))
      const distribution = await start(startDistribution(join(folder, 'requests-distribution')))
      const redirecting = await start(
        startDistribution(join(folder, 'requests-redirecting'), 'http://blobs.example.com'),
      )
      const zot = options.zot === undefined ? [] : [await start(startZot(options.zot, join(folder, 'requests-zot')))]
      return [
        ...(await manifests([ours, overHttp], distribution, zot, 1, options)),
        ...(await manifests([ours, overHttp], distribution, zot, 32, options)),
        ...(await ceiling(ours, options)),
        ...(await blobs(ours, [distribution, redirecting, ...zot], options)),
      ]
    } finally {
      for (const peer of peers) await peer.stop()
    }
  },
}

async function manifests(
  ours: readonly Target[],
  distribution: Target,
  others: readonly Target[],
  connections: number,
  options: BenchOptions,
): Promise<Line[]> {
  const what = `manifest by tag, ${connections === 1 ? 'one connection' : `${connections} connections`}`
  const results = await load(what, [...ours, distribution, ...others], ({ content }) => content.manifestPaths, {
    connections,
    options,
  })
  const theirs = rates(results.get(distribution))
  return [...results].map(([target, rounds]): Line => {
    const line = { what, peer: target.peer.name, figure: describe(rounds) }
    if (ours.includes(target)) {
      const goal = connections === 32 ? manifestTargets[target.peer.name] : undefined
      return { ...line, ratio: ratioOf(rates(rounds), theirs), ...(goal === undefined ? {} : { target: goal }) }
    }
    return line
  })
}

async function blobs(ours: Target, others: readonly Target[], options: BenchOptions): Promise<Line[]> {
  const what = 'blob GET, 32 connections'
  const results = await load(what, [ours, ...others], ({ content }) => content.blobPaths, { connections: 32, options })
  const own = rates(results.get(ours))
  return [...results].map(([target, rounds]): Line => {
    const line = { what, peer: target.peer.name, figure: describe(rounds) }
    if (target === ours) return line
    const ratio: Ratio = ratioOf(own, rates(rounds))
    return target.peer.name.startsWith('Distribution') ? { ...line, ratio, target: 1.5 } : { ...line, ratio }
  })
}

/** The manifests as files of nginx. */
async function ceiling(ours: Target, options: BenchOptions): Promise<Line[]> {
  const what = 'the same files from nginx, 32 connections'
  const folder = join(options.folder, 'nginx-files')
  const { bucketFolder } = ours.peer
  if (bucketFolder === undefined) return []
  await cp(join(bucketFolder, 'docker/registry/v2/blobs'), folder, { recursive: true })
  const nginx = await startNginx(folder, join(options.folder, 'nginx'))
  try {
    const paths = ours.content.blobPaths.map((path) => {
      const hex = path.slice(path.lastIndexOf(':') + 1)
      return `/sha256/${hex.slice(0, 2)}/${hex}/data`
    })
    const rounds: LoadResult[] = []
    for (let round = 0; round < options.rounds; round++)
      rounds.push(await runLoad({ url: nginx.url, paths, connections: 32, seconds: options.loadSeconds }))
    return [{ what, peer: 'nginx', figure: describe(rounds) }]
  } finally {
    await nginx.stop()
  }
}

async function load(
  what: string,
  targets: readonly Target[],
  pathsOf: (target: Target) => readonly string[],
  { connections, options }: { connections: number; options: BenchOptions },
): Promise<Map<Target, LoadResult[]>> {
  return interleave(targets, options, async (target, round) => {
    const result = await runLoad({
      url: target.peer.pullUrl,
      paths: pathsOf(target),
      connections,
      seconds: options.loadSeconds,
      headers: acceptManifests,
    })
    options.say(`${what}, round ${round + 1}: ${target.peer.name} ${describe([result])}`)
    return result
  })
}

function rates(rounds: readonly LoadResult[] = []): number[] {
  return rounds.map(({ requestsPerSecond }) => requestsPerSecond)
}

export function describe(rounds: readonly LoadResult[]): string {
  const [rate, p50, p99] = [
    median(rates(rounds)),
    median(rounds.map(({ p50Ms }) => p50Ms)),
    median(rounds.map(({ p99Ms }) => p99Ms)),
  ]
  return `${Math.round(rate).toLocaleString('en')}/s · p50 ${p50.toFixed(2)} ms · p99 ${p99.toFixed(2)} ms (${(p99 / p50).toFixed(1)} × p50)`
}
