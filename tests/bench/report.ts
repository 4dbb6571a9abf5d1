/** Figures of each round, by what they measure. */
export type Metrics = Record<string, number[]>

/** What one candidate came to. */
export interface Row {
  name: string
  metrics: Metrics
}

/** A figure that says how good we are: a ratio, or a time, count or size with a limit. */
export interface Check {
  name: string
  unit: '×' | 'ms' | 'MB' | 'queries' | 'requests' | '/s'
  /** Of each round. */
  values: number[]
  target?: Target | undefined
  /** What the table of the README calls it; undefined where it is not in there. */
  figure?: string
}

export type Target = { atLeast: number } | { atMost: number }

export interface Section {
  title: string
  /** How to read the figures. */
  notes: string[]
  rows: Row[]
  checks: Check[]
}

/** What became of each section. */
export type Results = Record<string, Section | { failed: string }>

export interface Summary {
  median: number
  min: number
  max: number
}

/** How many times one candidate another is, round by round: the machine is not the same from one minute to the next. */
export function ratio(rows: Row[], metric: string, of: string, to: string, target?: Target, note = ''): Check {
  const [ours, theirs] = [of, to].map((name) => rows.find((row) => row.name === name)?.metrics[metric] ?? [])
  const values = ours?.map((value, round) => value / (theirs?.[round] ?? Number.NaN)) ?? []
  const what = metric === 'perSecond' ? '' : ` (${columns[metric] ?? metric})`
  return { name: `${of} / ${to}${what}${note}`, unit: '×', values, target }
}

/** A check that is in the table of the README. */
export function figure(name: string, check: Check): Check {
  return { ...check, figure: name }
}

/** The worst of several checks with the same target, round by round. */
export function worst(name: string, checks: Check[]): Check {
  const [first] = checks
  if (!first) throw new RangeError('There is no check')
  const { unit, target } = first
  const pick = target && 'atLeast' in target ? Math.min : Math.max
  const values = first.values.map((_, round) => pick(...checks.map((check) => check.values[round] ?? Number.NaN)))
  return { name, unit, target, values }
}

/** What the metrics are called in tables. */
export const columns: Record<string, string> = {
  perSecond: 'requests/s',
  p50Ms: 'p50 ms',
  p99Ms: 'p99 ms',
  maxMs: 'max ms',
  cpuMicros: 'CPU µs/request',
  serverShare: 'server CPU %',
  loadShare: 'generator CPU %',
  loopP99Ms: 'event loop p99 ms',
  loopMaxMs: 'event loop max ms',
  readyMs: 'ready ms',
  residentMb: 'resident MB',
  peakMb: 'peak MB',
  requests: 'requests',
}

export function summarize(values: number[]): Summary {
  const known = values.filter((value) => !Number.isNaN(value))
  return { median: median(known), min: Math.min(...known), max: Math.max(...known) }
}

/** Whether a figure reaches its target, by its median; undefined where it has none, or nothing was measured. */
export function isMet({ values, target }: Check): boolean | undefined {
  const { median } = summarize(values)
  if (!target || Number.isNaN(median)) return undefined
  return 'atLeast' in target ? median >= target.atLeast : median <= target.atMost
}

/** A report without its words: what a program reads. */
export function toJson(sections: Results) {
  return Object.entries(sections).map(([name, section]) => {
    if ('failed' in section) return { name, ...section }
    const { title, notes, rows, checks } = section
    return {
      name,
      title,
      notes,
      rows: rows.map((row) => ({
        name: row.name,
        metrics: Object.fromEntries(
          Object.entries(row.metrics).map(([metric, rounds]) => [metric, { ...summarize(rounds), rounds }]),
        ),
      })),
      checks: checks.map((check) => ({ ...check, ...summarize(check.values), met: isMet(check) })),
    }
  })
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  return ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2
}
