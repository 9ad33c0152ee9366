// Reads what `/metrics` answers (Prometheus, "Exposition formats", text-based).

export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface MetricsPage {
  /** Names as they are declared: of a histogram without `_bucket`, `_sum` and `_count`. */
  readonly names: readonly string[]
  readonly samples: readonly Sample[]
}

/** @throws Error for a line that is none */
export function parseMetrics(text: string): MetricsPage {
  const names: string[] = []
  const samples: Sample[] = []
  for (const line of text.split('\n').filter((each) => each !== '' && !each.startsWith('# HELP '))) {
    const declared = /^# TYPE (\S+) (?:counter|gauge|histogram|summary)$/.exec(line)?.[1]
    if (declared !== undefined) {
      names.push(declared)
      continue
    }
    const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/.exec(line)
    if (sample === null) throw new Error(`no line of metrics: ${line}`)
    const labels = [...(sample[2] ?? '').matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)]
    samples.push({
      name: sample[1] ?? '',
      labels: Object.fromEntries(labels.map(([, label = '', value = '']) => [label, value])),
      value: Number(sample[3]),
    })
  }
  return { names, samples }
}

/** Sum of the samples of that name that have these labels. */
export function total({ samples }: MetricsPage, name: string, labels: Readonly<Record<string, string>> = {}): number {
  return samples
    .filter((sample) => sample.name === name)
    .filter((sample) => Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
    .reduce((sum, { value }) => sum + value, 0)
}

/** Every value that each of our own labels has anywhere on the page. */
export function labelValues({ samples }: MetricsPage): Record<string, Set<string>> {
  const values: Record<string, Set<string>> = {}
  for (const { name, labels } of samples) {
    if (!name.startsWith('mirrorball_')) continue
    for (const [label, value] of Object.entries(labels)) (values[label] ??= new Set()).add(value)
  }
  return values
}
