import type { CoverageMap, CoverageSummary } from 'istanbul-lib-coverage'
import { createContext } from 'istanbul-lib-report'
import reports from 'istanbul-reports'

const least = { all: 90, file: 75 }

/** Prints the coverage, writes it to `coverage/` as HTML, and fails the process where it is too low. */
export function report(map: CoverageMap): void {
  const context = createContext({ dir: 'coverage', coverageMap: map })
  reports.create('text', { maxCols: 120 }).execute(context)
  reports.create('html').execute(context)

  const faults = [
    ...below('all files', map.getCoverageSummary(), least.all),
    ...map.files().flatMap((file) => below(file, map.fileCoverageFor(file).toSummary(), least.file)),
  ]
  for (const fault of faults) process.stderr.write(`${fault}\n`)
  if (faults.length > 0) process.exitCode = 1
}

function below(name: string, summary: CoverageSummary, limit: number): string[] {
  return (['lines', 'branches'] as const)
    .filter((metric) => summary[metric].pct < limit)
    .map((metric) => `${name}: ${summary[metric].pct} % of ${metric}, at least ${limit} % are needed`)
}
