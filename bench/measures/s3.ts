// Images on S3: Mirrorball beside Distribution, each in a bucket of its own on one server.

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pushManyTags } from '../content.ts'
import { runLoad } from '../load.ts'
import { startDistributionOnS3 } from '../peers/distribution.ts'
import { startMirrorball } from '../peers/mirrorball.ts'
import type { Peer } from '../peers/peer.ts'
import { type S3Server, startVersitygw } from '../peers/versitygw.ts'
import { interleave, ratioOf } from '../statistics.ts'
import type { BenchOptions, Line, Measure } from './measure.ts'
import { acceptManifests, describe } from './requests.ts'
import { measureTransfers, type TransferTargets } from './transfers.ts'

const targets: TransferTargets = {
  '200 MB': { push: 0.95, pull: 1 },
  '40 × 256 KiB': { push: 1.3, pull: 1 },
}

const name = 'bench/tags'

export const s3: Measure = {
  name: 's3',
  about:
    'As transfers, and manifests by tag as in requests (32 connections), with the content of both on S3: one server (versitygw over a folder on this machine), a bucket for each. Both redirect clients to the server for blobs.',
  async run(options) {
    const { folder, versitygw } = options
    if (versitygw === undefined) return []
    await mkdir(folder, { recursive: true })
    const server = await startVersitygw(versitygw, join(folder, 's3'))
    const peers: Peer[] = []
    try {
      await server.makeBucket('ours')
      await server.makeBucket('distribution')
      peers.push(await startMirrorball(join(folder, 'mirrorball'), 'node, folder', { options: onS3(server, 'ours') }))
      peers.push(await startDistributionOnS3(join(folder, 'distribution'), server, 'distribution'))
      return [...(await measureTransfers(peers, targets, options)), ...(await manifests(peers, options))]
    } finally {
      for (const peer of peers) await peer.stop()
      await server.stop()
    }
  },
}

function onS3({ url, region, accessKeyId, secretAccessKey }: S3Server, bucket: string): readonly string[] {
  return [
    `--bucket-s3-url=${url}/${bucket}`,
    `--bucket-region=${region}`,
    `--bucket-access-key-id=${accessKeyId}`,
    `--bucket-secret-access-key=${secretAccessKey}`,
  ]
}

async function manifests(peers: readonly Peer[], options: BenchOptions): Promise<Line[]> {
  const paths = new Map<Peer, readonly string[]>()
  for (const peer of peers) paths.set(peer, (await pushManyTags(peer.pushUrl, name)).manifestPaths)
  const what = 'manifest by tag, 32 connections'
  const results = await interleave(peers, options, async (peer, round) => {
    const load = { url: peer.pullUrl, paths: paths.get(peer) ?? [], connections: 32, seconds: options.loadSeconds }
    const result = await runLoad({ ...load, headers: acceptManifests })
    options.say(`${what}, round ${round + 1}: ${peer.name} ${describe([result])}`)
    return result
  })
  const [ours = [], theirs = []] = [...results.values()]
  const rates = (rounds: typeof ours) => rounds.map(({ requestsPerSecond }) => requestsPerSecond)
  return [...results].map(([peer, rounds]): Line => {
    const line = { what, peer: peer.name, figure: describe(rounds) }
    return rounds === ours ? line : { ...line, ratio: ratioOf(rates(ours), rates(theirs)), target: 2 }
  })
}
