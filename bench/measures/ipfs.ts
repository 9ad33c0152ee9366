// What IPFS costs: pushes with it and without, and beside Forta's Disco on the same Kubo.

import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { findClient } from '../../test/support/clients/programs.ts'
import type { TestImage } from '../../test/support/image.ts'
import { type Kubo, startKubo } from '../../test/support/ipfs/kubo.ts'
import { clientFolder, type ImageForm, makeBenchImage, push, type PushClient } from '../client.ts'
import { runLoad } from '../load.ts'
import { startDisco } from '../peers/disco.ts'
import { startMirrorball } from '../peers/mirrorball.ts'
import type { Peer } from '../peers/peer.ts'
import { interleave, median, ratioOf } from '../statistics.ts'
import type { BenchOptions, Line, Measure } from './measure.ts'
import { acceptManifests } from './requests.ts'

/** What is asked of our speed: over our own without IPFS, and over Disco's. */
const targets: Readonly<Record<ImageForm, { off: number; disco: number }>> = {
  '200 MB': { off: 0.9, disco: 1.4 },
  '40 × 256 KiB': { off: 0.9, disco: 3 },
}

const manifestTarget = 10

type Push = readonly [ImageForm, PushClient]

const bySkopeo: readonly Push[] = [
  ['200 MB', 'skopeo'],
  ['40 × 256 KiB', 'skopeo'],
]
/** Disco loses blobs that are pushed at once, and then refuses the manifest: of crane it takes an image of one layer. */
const pushesTo: Readonly<Record<'off' | 'disco', readonly Push[]>> = {
  off: [...bySkopeo, ['200 MB', 'crane'], ['40 × 256 KiB', 'crane']],
  disco: [...bySkopeo, ['200 MB', 'crane']],
}

export const ipfs: Measure = {
  name: 'ipfs',
  about:
    'skopeo and crane push a new image: to Mirrorball with the embedded node and without IPFS; and to Mirrorball and Disco that each keep images in a Kubo of their own. ' +
    'skopeo hashes every byte itself and sends blob after blob; crane sends what it finds, several blobs at once. The more of a push is the client’s own work, the nearer are ratios to 1: of skopeo 1.9 it is half. ' +
    'Then wrk asks both for one manifest by tag, 32 connections. Kubo and Disco are measured where they are installed (DISCO_BIN).',
  async run(options) {
    const { folder, disco } = options
    await mkdir(folder, { recursive: true })
    const stops: (() => Promise<void>)[] = []
    const start = async <Started extends { stop(): Promise<void> }>(starting: Promise<Started>): Promise<Started> => {
      const started = await starting
      stops.push(() => started.stop())
      return started
    }
    try {
      const embedded = await start(
        startMirrorball(join(folder, 'embedded'), 'node, folder', { name: 'Mirrorball, embedded' }),
      )
      const off = await start(
        startMirrorball(join(folder, 'off'), 'node, folder', {
          name: 'Mirrorball, without IPFS',
          options: ['--ipfs-backend=off'],
        }),
      )
      const lines = await pushes([embedded, off], 'off', options)
      if (findClient('ipfs') === undefined || disco === undefined) return lines
      const [ours, theirs] = [await start(startKubo()), await start(startKubo())]
      const onKubo = await start(
        startMirrorball(join(folder, 'kubo'), 'node, folder', {
          name: 'Mirrorball on Kubo',
          options: ['--ipfs-backend=kubo', `--ipfs-kubo-url=${ours.url}`],
        }),
      )
      const beside = await start(startDisco(disco, join(folder, 'disco'), theirs.url))
      return [
        ...lines,
        ...(await pushes([onKubo, beside], 'disco', options)),
        await manifests(onKubo, beside, theirs, options),
      ]
    } finally {
      for (const stop of stops.toReversed()) await stop()
    }
  },
}

async function pushes(
  [ours, theirs]: readonly [Peer, Peer],
  target: 'off' | 'disco',
  options: BenchOptions,
): Promise<Line[]> {
  const folder = await clientFolder()
  const lines: Line[] = []
  try {
    for (const [form, client] of pushesTo[target]) {
      let image: { round: number; made: Promise<TestImage> } | undefined
      const rounds = await interleave([ours, theirs], options, async (peer, round) => {
        if (image?.round !== round) {
          const at = join(folder, 'image')
          await rm(at, { recursive: true, force: true })
          image = { round, made: makeBenchImage(at, form, `ipfs-${target}-${form}-${client}-${round}`) }
        }
        const ms = await push(await image.made, peer.pushUrl, `bench-${target}-${round}`, client)
        options.say(`push ${form}, ${client}, round ${round + 1}: ${peer.name} ${Math.round(ms)} ms`)
        return ms
      })
      const times = (peer: Peer) => rounds.get(peer) ?? []
      const line = (peer: Peer): Line => ({
        what: `push ${form}, ${client}`,
        peer: peer.name,
        figure: `${Math.round(median(times(peer)))} ms`,
      })
      lines.push(line(ours), {
        ...line(theirs),
        ratio: ratioOf(times(theirs), times(ours)),
        target: targets[form][target],
      })
    }
    return lines
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function manifests(ours: Peer, disco: Peer, kubo: Kubo, options: BenchOptions): Promise<Line> {
  const folder = await clientFolder()
  try {
    const image = await makeBenchImage(join(folder, 'image'), '40 × 256 KiB', 'ipfs-manifests')
    await push(image, ours.pushUrl, 'bench-manifests')
    const before = await namesOf(kubo)
    await push(image, disco.pushUrl, 'bench-manifests')
    // Disco forgets the name, and what it takes is another manifest, as it takes none of the OCI's from skopeo.
    const theirName = (await namesOf(kubo)).find((name) => /^[0-9a-f]{64}$/.test(name) && !before.includes(name)) ?? ''
    const names = new Map([
      [ours, 'bench-manifests'],
      [disco, theirName],
    ])
    const rounds = await interleave([ours, disco], options, async (peer, round) => {
      const load = {
        url: peer.pullUrl,
        paths: [`/v2/${names.get(peer)}/manifests/latest`],
        connections: 32,
        seconds: options.loadSeconds,
      }
      const { requestsPerSecond } = await runLoad({ ...load, headers: acceptManifests })
      options.say(`manifests, round ${round + 1}: ${peer.name} ${Math.round(requestsPerSecond)}/s`)
      return requestsPerSecond
    })
    const [own, theirs] = [rounds.get(ours) ?? [], rounds.get(disco) ?? []]
    return {
      what: 'manifest by tag, 32 connections',
      peer: `${disco.name} (${ours.name}: ${Math.round(median(own))}/s)`,
      figure: `${Math.round(median(theirs))}/s`,
      ratio: ratioOf(own, theirs),
      target: manifestTarget,
    }
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** The repositories that Disco keeps in its Kubo. */
async function namesOf(kubo: Kubo): Promise<string[]> {
  const names: string[] = []
  for await (const { name } of kubo.rpc.files.ls('/docker/registry/v2/repositories')) names.push(name)
  return names
}
