// Push and pull of whole images with a real client: time, CPU and memory.

import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { clientFolder, type ImageForm, imageForms, makeBenchImage, pull, push } from '../client.ts'
import type { Peer } from '../peers/peer.ts'
import { startDistribution } from '../peers/distribution.ts'
import { startMirrorball } from '../peers/mirrorball.ts'
import { startZot } from '../peers/zot.ts'
import { cpuSeconds, memoryOf } from '../processes.ts'
import { median, ratioOf } from '../statistics.ts'
import { interleave } from '../statistics.ts'
import type { BenchOptions, Line, Measure } from './measure.ts'

interface Transfer {
  readonly ms: number
  readonly cpuSeconds: number
}

interface Round {
  readonly push: Transfer
  readonly pull: Transfer
}

/** What is asked of our speed over Distribution's. */
export type TransferTargets = Readonly<Record<ImageForm, { readonly push: number; readonly pull: number }>>

const targets: TransferTargets = {
  '200 MB': { push: 0.95, pull: 0.95 },
  '40 × 256 KiB': { push: 1, pull: 0.95 },
}

export const transfers: Measure = {
  name: 'transfers',
  about:
    'skopeo pushes a new image to each registry and pulls it again (from Mirrorball through the edge), wall time with the start of skopeo in it. ' +
    'The client’s folders are in memory, the registries’ on disk. Before each run the disk is synced, and the memory that it takes is touched: a virtual machine that gave it back to its host would pay for it in the middle. ' +
    'CPU is what the registry’s processes used, per GiB. Memory is resident, idle after the start and at its peak after all rounds.',
  async run(options) {
    const peers = await startPeers(options)
    try {
      const idle = await memories(peers)
      const lines = await measureTransfers(peers, targets, options)
      const after = await memories(peers)
      for (const peer of peers) {
        for (const role of Object.keys(peer.roles)) {
          const figure = `${mib(idle.get(peer)?.[role]?.residentMib)} → ${mib(after.get(peer)?.[role]?.peakMib)}`
          lines.push({ what: 'memory, idle → peak', peer: `${peer.name}: ${role}`, figure })
        }
      }
      return lines
    } finally {
      for (const peer of peers) await peer.stop()
    }
  },
}

async function startPeers({ folder, zot }: BenchOptions): Promise<Peer[]> {
  await mkdir(folder, { recursive: true })
  const peers = [
    await startMirrorball(join(folder, 'mirrorball')),
    await startDistribution(join(folder, 'distribution')),
  ]
  if (zot !== undefined) peers.push(await startZot(zot, join(folder, 'zot')))
  return peers
}

async function memories(peers: readonly Peer[]) {
  const all = new Map<Peer, Record<string, Awaited<ReturnType<typeof memoryOf>>>>()
  for (const peer of peers) {
    const roles: Record<string, Awaited<ReturnType<typeof memoryOf>>> = {}
    for (const [role, pid] of Object.entries(peer.roles)) roles[role] = await memoryOf(pid)
    all.set(peer, roles)
  }
  return all
}

/** @param peers ours first */
export async function measureTransfers(
  peers: readonly Peer[],
  aims: TransferTargets,
  options: BenchOptions,
): Promise<Line[]> {
  const lines: Line[] = []
  for (const form of Object.keys(imageForms) as ImageForm[])
    lines.push(...(await measureForm(peers, form, aims[form], options)))
  return lines
}

async function measureForm(
  peers: readonly Peer[],
  form: ImageForm,
  aims: TransferTargets[ImageForm],
  options: BenchOptions,
): Promise<Line[]> {
  const folder = await clientFolder()
  try {
    let image: { round: number; made: ReturnType<typeof makeBenchImage> } | undefined
    const rounds = await interleave(peers, options, async (peer, round): Promise<Round> => {
      if (image?.round !== round) {
        const at = join(folder, 'image')
        await rm(at, { recursive: true, force: true })
        image = { round, made: makeBenchImage(at, form, `${form}-${round}`) }
      }
      const made = await image.made
      const name = `bench/${form.startsWith('200') ? 'large' : 'layers'}-${round}`
      const pushed = await spent(peer, () => push(made, peer.pushUrl, name))
      const pulled = await spent(peer, () => pull(peer.pullUrl, name, folder))
      options.say(`${form}, round ${round + 1}: ${peer.name} push ${ms(pushed.ms)}, pull ${ms(pulled.ms)}`)
      return { push: pushed, pull: pulled }
    })
    return (['push', 'pull'] as const).flatMap((way) => {
      const times = (peer: Peer) => (rounds.get(peer) ?? []).map((round) => round[way].ms)
      const gib = imageForms[form].reduce((sum, size) => sum + size, 0) / 1024 ** 3
      const [ours] = peers
      return peers.map((peer): Line => {
        const cpu = median((rounds.get(peer) ?? []).map((round) => round[way].cpuSeconds)) / gib
        const line = {
          what: `${way} ${form}`,
          peer: peer.name,
          figure: `${ms(median(times(peer)))} · ${cpu.toFixed(1)} CPU-s/GiB`,
        }
        if (ours === undefined || peer === ours) return line
        const ratio = ratioOf(times(peer), times(ours))
        return peer.name === 'Distribution' ? { ...line, ratio, target: aims[way] } : { ...line, ratio }
      })
    })
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function spent(peer: Peer, run: () => Promise<number>): Promise<Transfer> {
  const before = await cpuSeconds(peer.pid)
  const ms = await run()
  return { ms, cpuSeconds: (await cpuSeconds(peer.pid)) - before }
}

function ms(value: number): string {
  return `${Math.round(value)} ms`
}

function mib(value: number | undefined): string {
  return `${Math.round(value ?? Number.NaN)} MiB`
}
