// `mirrorball doctor` at a deployment of a test.

import type { Outcome } from '../../origin/doctor/check.ts'
import type { Stack } from './stack.ts'
import { runVerb } from './verbs.ts'

/** Of the command line, without their dashes. */
export type Options = Readonly<Record<string, string>>

/** What it says of a deployment. */
export async function examine(dataFolder: string, options: Options) {
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value])
  const { code, stdout, stderr } = await runVerb(dataFolder, 'doctor', '--json', ...args)
  const { checks: outcomes } = JSON.parse(stdout) as { checks: readonly Outcome[] }
  const named = (state: Outcome['state']) => outcomes.filter((each) => each.state === state).map(({ check }) => check)
  return { code, stderr, outcomes, faults: outcomes.filter(({ state }) => state === 'fault'), named }
}

export const addressesOf = ({ edgeUrl, originUrl, bucketUrl }: Stack): Options => ({
  'edge-url': edgeUrl,
  'origin-url': originUrl,
  'bucket-url': bucketUrl,
})
