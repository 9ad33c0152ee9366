// What checks found, for people and for programs.

import type { Outcome } from '../doctor/check.ts'

/** What to print of an outcome: a line, and under a fault what it means and what to do. */
function outcomeLines(outcome: Outcome): string {
  const { check, state } = outcome
  const line = (text: string) => `${(state === 'fault' ? 'FAULT' : state).padEnd(8)}${check.padEnd(19)}${text}\n`
  switch (state) {
    case 'ok':
      return line(outcome.seen)
    case 'skipped':
      return line(outcome.why)
    case 'fault':
      return `${line(outcome.seen)}        why:  ${outcome.why}\n        mend: ${outcome.mend}\n`
  }
}

/** How many there are of each, on one line. */
function summaryLine(outcomes: readonly Outcome[]): string {
  const count = (state: Outcome['state']) => outcomes.filter((outcome) => outcome.state === state).length
  const faults = count('fault')
  return `${outcomes.length} checks: ${count('ok')} ok, ${faults === 0 ? 'no' : faults} fault${faults === 1 ? '' : 's'}, ${count('skipped')} skipped\n`
}

/**
 * Prints outcomes as they come, or all at the end as JSON; whoever runs this hears of faults by the exit code.
 * @param more what else stands in the JSON
 */
export async function printOutcomes(outcomes: AsyncIterable<Outcome>, json: boolean, more: object = {}): Promise<void> {
  const all: Outcome[] = []
  for await (const outcome of outcomes) {
    all.push(outcome)
    if (!json) process.stdout.write(outcomeLines(outcome))
  }
  process.stdout.write(json ? `${JSON.stringify({ checks: all, ...more }, undefined, 2)}\n` : summaryLine(all))
  if (all.some(({ state }) => state === 'fault')) process.exitCode = 1
}
