import { readFileSync } from 'node:fs'
import type { Check } from './report.ts'

interface Run {
  sections: { name: string; checks?: (Omit<Check, 'values'> & { values: (number | null)[] })[] }[]
}

/**
 * The checks of several runs, with the rounds of all of them, in the order of `sections`.
 * @param files what `--json` has written
 * @throws RangeError when one of them is no such file
 */
export function mergeRuns(files: string[], sections: string[]): Check[] {
  const runs = files.map(read)
  return sections.flatMap((name) => {
    const merged = new Map<string, Check>()
    for (const { checks = [] } of runs.flatMap((run) => run.sections.filter((section) => section.name === name))) {
      for (const check of checks) {
        // JSON has no NaN.
        const values = check.values.map((value) => value ?? Number.NaN)
        merged.set(check.name, { ...check, values: [...(merged.get(check.name)?.values ?? []), ...values] })
      }
    }
    return [...merged.values()]
  })
}

function read(file: string): Run {
  const text = readFileSync(file, 'utf8')
  try {
    const run = JSON.parse(text) as Run
    if (Array.isArray(run.sections)) return run
  } catch {
    // Told below.
  }
  throw new RangeError(`--from: ${file} holds no figures of the benchmark`)
}
