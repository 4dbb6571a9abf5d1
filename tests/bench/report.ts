import type { Round } from './load.ts'

/** Figures that belong together. */
export interface Section {
  title: string
  rounds: Record<string, Round[]>
  /** Pairs of names in `rounds`: how many times the second the first does. */
  ratios: [string, string][]
}

/** The figures of a section, over its rounds. */
export function summarize({ title, rounds, ratios }: Section) {
  return {
    title,
    targets: Object.entries(rounds).map(([name, all]) => {
      const rates = all.map(({ perSecond }) => perSecond)
      const cpu = all.flatMap(({ cpuMicros }) => cpuMicros ?? [])
      return {
        name,
        perSecond: {
          median: Math.round(median(rates)),
          min: Math.round(Math.min(...rates)),
          max: Math.round(Math.max(...rates)),
        },
        p99Ms: median(all.map(({ p99Ms }) => p99Ms)),
        cpuMicros: cpu.length > 0 ? Math.round(median(cpu)) : null,
      }
    }),
    // Rounds of the same moment are compared: the machine is not the same from one minute to the next.
    ratios: ratios.map(([name, to]) => ({
      name,
      to,
      ratio: median(
        (rounds[name] ?? []).map(({ perSecond }, i) => perSecond / (rounds[to]?.[i]?.perSecond ?? Number.NaN)),
      ),
    })),
  }
}

export type Summary = ReturnType<typeof summarize>

/** A section for people. */
export function table({ title, targets, ratios }: Summary): string {
  const rows = [
    ['', 'requests/s', 'min', 'max', 'p99 ms', 'CPU µs/request'],
    ...targets.map(({ name, perSecond: { median, min, max }, p99Ms, cpuMicros }) =>
      [name, median, min, max, p99Ms, cpuMicros ?? '-'].map(String),
    ),
  ]
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
  const lines = rows.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  '),
  )
  const compared = ratios.map(({ name, to, ratio }) => `${name} / ${to} = ${ratio.toFixed(ratio < 1 ? 3 : 1)}`)
  return [title, ...lines, ...compared].join('\n')
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  return ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2
}
