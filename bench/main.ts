// `npm run bench`: measures Mirrorball beside other registries in one run, round by round in turn, and writes
// docs/benchmarks.md. On Linux with skopeo, wrk, nginx, Distribution and Kubo; with zot, serverless-registry,
// Disco and an S3 server where ZOT_BIN, SERVERLESS_REGISTRY_WORKER, DISCO_BIN and VERSITYGW_BIN name them.

import { defineCommand, runMain } from 'citty'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { blobBody } from './measures/blob-body.ts'
import { ipfs } from './measures/ipfs.ts'
import type { Measure } from './measures/measure.ts'
import { requests } from './measures/requests.ts'
import { s3 } from './measures/s3.ts'
import { tokens } from './measures/tokens.ts'
import { transfers } from './measures/transfers.ts'
import { worker } from './measures/worker.ts'
import { type Measured, printMeasured, writeReport } from './report.ts'

const measures: readonly Measure[] = [transfers, requests, blobBody, worker, ipfs, tokens, s3]

const command = defineCommand({
  meta: { name: 'bench', description: 'Measures Mirrorball beside other registries. Let nothing else run meanwhile.' },
  args: {
    only: {
      type: 'string',
      description: `Measures, joined by commas: ${measures.map(({ name }) => name).join(', ')}.`,
    },
    rounds: { type: 'string', default: '9', description: 'Rounds; in each, every registry is measured once.' },
    'warm-up': { type: 'string', default: '5', description: 'Rounds before those that count.' },
    seconds: { type: 'string', default: '2', description: 'Seconds of load in each round.' },
    folder: { type: 'string', description: 'On the disk that is measured. Default: the system’s temporary folder.' },
    write: { type: 'boolean', default: false, description: 'Write docs/benchmarks.md. Needs all measures.' },
  },
  async run({ args }) {
    const names = args.only?.split(',') ?? measures.map(({ name }) => name)
    const chosen = measures.filter(({ name }) => names.includes(name))
    if (chosen.length !== names.length) throw new Error(`--only takes ${measures.map(({ name }) => name).join(', ')}`)
    if (args.write && chosen.length < measures.length) throw new Error('--write needs all measures')
    const folder = await mkdtemp(join(args.folder ?? tmpdir(), 'mirrorball-bench-'))
    try {
      const measured: Measured[] = []
      for (const measure of chosen) {
        const lines = await measure.run({
          warmUp: Number(args['warm-up']),
          rounds: Number(args.rounds),
          loadSeconds: Number(args.seconds),
          folder: join(folder, measure.name),
          zot: process.env['ZOT_BIN'],
          disco: process.env['DISCO_BIN'],
          versitygw: process.env['VERSITYGW_BIN'],
          serverlessRegistry: process.env['SERVERLESS_REGISTRY_WORKER'],
          say: (text) => process.stderr.write(`${text}\n`),
        })
        measured.push({ measure, lines })
        process.stdout.write(printMeasured({ measure, lines }))
      }
      if (args.write) await writeReport(measured, { rounds: Number(args.rounds), warmUp: Number(args['warm-up']) })
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  },
})

await runMain(command)
