// Counts and durations by labels. The values of every label are known beforehand: a stranger cannot make a new series.
// Counting is a look-up and a few additions; everything else is left to whoever reads.

/** Upper limits of a histogram's buckets, in seconds. */
export const bucketLimitsSeconds = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60,
] as const

/** The values a label can have. */
export interface ClosedSet {
  readonly values: readonly string[]
  /** Where a value stands; what is not in the set stands where `other` does. */
  at(value: string | number): number
}

/** @param values of a label, to which `other` is added */
export function closedSet(values: readonly (string | number)[]): ClosedSet {
  const positions = new Map(values.map((value, at) => [value, at]))
  return {
    values: [...values.map(String), 'other'],
    at: (value) => positions.get(value) ?? values.length,
  }
}

export interface Durations {
  readonly labels: Readonly<Record<string, string>>
  /** How many fell into each bucket, and into none before it. */
  readonly inBucket: Float64Array
  count: number
  sumSeconds: number
}

export interface DurationTable {
  /** @param positions of the labels' values, in the order of the labels */
  add(ms: number, first: number, second: number, third?: number, fourth?: number): void
  /** What was counted, a row for each combination of values that came. */
  rows(): Iterable<Durations>
}

/** @param labels two to four, with the values each can have */
export function createDurationTable(labels: Readonly<Record<string, ClosedSet>>): DurationTable {
  const names = Object.keys(labels)
  const sets = Object.values(labels)
  const [, second = 1, third = 1, fourth = 1] = sets.map(({ values }) => values.length)
  const rows = new Map<number, Durations>()

  function newRow(positions: readonly number[]): Durations {
    const values = names.map((name, at) => [name, sets[at]?.values[positions[at] ?? 0] ?? 'other'])
    return {
      labels: Object.fromEntries(values) as Record<string, string>,
      inBucket: new Float64Array(bucketLimitsSeconds.length),
      count: 0,
      sumSeconds: 0,
    }
  }

  return {
    add(ms, a, b, c = 0, d = 0) {
      const place = ((a * second + b) * third + c) * fourth + d
      let row = rows.get(place)
      if (row === undefined) rows.set(place, (row = newRow([a, b, c, d])))
      const seconds = ms / 1000
      row.count += 1
      row.sumSeconds += seconds
      for (let at = 0; at < bucketLimitsSeconds.length; at++) {
        if (seconds > (bucketLimitsSeconds[at] ?? 0)) continue
        row.inBucket[at] = (row.inBucket[at] ?? 0) + 1
        break
      }
    },
    rows: () => rows.values(),
  }
}
