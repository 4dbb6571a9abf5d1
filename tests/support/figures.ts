/** Writes what a test has measured, whether it is good or not, for those who compare runs. */
export function tellFigures(id: string, figures: Record<string, unknown>): void {
  process.stdout.write(`${id}: ${JSON.stringify(figures)}\n`)
}
