// Figures from interleaved rounds.

/** The value in the middle; of an even number, the mean of the two there. Of none, NaN. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** @param q between 0 and 1; values between two samples are interpolated */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (sorted.length - 1) * q
  const [below = Number.NaN, above = Number.NaN] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]]
  return below + (above - below) * (at - Math.floor(at))
}

/** Ratio of two series round by round: its median, and the quartiles as the measure of its noise. */
export interface Ratio {
  readonly median: number
  readonly lower: number
  readonly upper: number
}

export function ratioOf(ours: readonly number[], theirs: readonly number[]): Ratio {
  const ratios = ours.map((value, at) => value / (theirs[at] ?? Number.NaN))
  return { median: median(ratios), lower: quantile(ratios, 0.25), upper: quantile(ratios, 0.75) }
}

/**
 * Runs every subject once a round, in an order that turns by one each round, so that none always comes first. Returns
 * the results per subject, in rounds. Those of the first `warmUp` rounds, which come on top, do not count: a registry
 * runs for weeks, and what its compiler or its allocator needs in the first seconds is not what it is chosen by.
 */
export async function interleave<Subject, Result>(
  subjects: readonly Subject[],
  { warmUp, rounds }: { readonly warmUp: number; readonly rounds: number },
  run: (subject: Subject, round: number) => Promise<Result>,
): Promise<Map<Subject, Result[]>> {
  const results = new Map<Subject, Result[]>(subjects.map((subject) => [subject, []]))
  for (let round = 0; round < warmUp + rounds; round++) {
    for (let at = 0; at < subjects.length; at++) {
      const subject = subjects[(at + round) % subjects.length]
      if (subject === undefined) continue
      const result = await run(subject, round)
      if (round >= warmUp) results.get(subject)?.push(result)
    }
  }
  return results
}
