// The report: as text while the bench runs, and as docs/benchmarks.md.

import { writeFile } from 'node:fs/promises'
import { cpus, release, totalmem } from 'node:os'
import { resolve } from 'node:path'
import { skopeoVersion } from './client.ts'
import type { Line, Measure } from './measures/measure.ts'

export interface Measured {
  readonly measure: Measure
  readonly lines: readonly Line[]
}

const reportFile = resolve(import.meta.dirname, '../docs/benchmarks.md')

export function printMeasured(measured: Measured): string {
  return `\n${measured.measure.name}\n${table(measured.lines)}\n`
}

export async function writeReport(
  all: readonly Measured[],
  { warmUp, rounds }: { readonly warmUp: number; readonly rounds: number },
): Promise<void> {
  const machine = `${cpus().length} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), ${Math.round(totalmem() / 1024 ** 3)} GiB, Linux ${release()}, Node ${process.version}`
  const sections = all.map(
    ({ measure, lines }) => `## ${heading(measure.name)}\n\n${measure.about}\n\n${table(lines)}\n`,
  )
  await writeFile(
    reportFile,
    `# Benchmarks

Written by \`npm run bench -- --write\` on ${new Date().toISOString().slice(0, 10)}. Machine: ${machine}; clients (${await skopeoVersion()}) and servers share it.

Every registry is measured once a round, ${rounds} rounds, in turning order, after ${warmUp} that ${warmUp === 1 ? 'does' : 'do'} not count. Figures are medians. A ratio is our speed over theirs (of a line of our own: over Distribution's), taken within each round: its median, in brackets its quartiles. Above 1 we are faster. All log faults only.

${sections.join('\n')}`,
  )
}

function heading(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1).replace(/-/g, ' ')
}

function table(lines: readonly Line[]): string {
  const rows = lines.map(({ what, peer, figure, ratio, target }) => [
    what,
    peer,
    figure,
    ratio === undefined ? '' : `${ratio.median.toFixed(2)} (${ratio.lower.toFixed(2)}–${ratio.upper.toFixed(2)})`,
    target === undefined ? '' : `≥ ${target}`,
  ])
  const header = ['what', 'who', 'median', 'ratio', 'aim']
  return [header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}
