import { type Check, columns, isMet, type Row, type Section, summarize, type Target } from './report.ts'

/** A section for people to read in a terminal. */
export function text({ title, notes, rows, checks }: Section): string {
  return [`## ${title}`, ...notes, '', ...aligned(rowTable(rows)), '', ...aligned(checkTable(checks)), ''].join('\n')
}

/** A section for the README. */
export function markdown({ title, notes, rows, checks }: Section): string {
  return [
    `### ${title}`,
    '',
    ...notes.map((note) => `${note}\n`),
    ...piped(rowTable(rows)),
    ...piped(checkTable(checks)),
  ]
    .join('\n')
    .trimEnd()
    .concat('\n')
}

/** The table of the README, of the checks that are in there. */
export function summary(checks: Check[]): string {
  const table = checks.flatMap((check) => {
    if (check.figure === undefined) return []
    const [, measured = '', target = '', met = ''] = checkRow(check)
    return [[check.figure, target, measured, met]]
  })
  return piped([['', 'target', 'median (min – max)', ''], ...table]).join('\n')
}

function rowTable(rows: Row[]): string[][] {
  const metrics = [...new Set(rows.flatMap((row) => Object.keys(row.metrics)))]
  if (rows.length === 0) return []
  return [
    ['', ...metrics.map((metric) => columns[metric] ?? metric)],
    ...rows.map((row) => [row.name, ...metrics.map((metric) => spread(row.metrics[metric] ?? []))]),
  ]
}

function checkTable(checks: Check[]): string[][] {
  if (checks.length === 0) return []
  return [['', 'median (min – max)', 'target', ''], ...checks.map(checkRow)]
}

function checkRow(check: Check): string[] {
  const { name, unit, values, target } = check
  const met = isMet(check)
  const limit =
    target && `${sign(target)}${('atLeast' in target ? target.atLeast : target.atMost).toLocaleString('en')} ${unit}`
  const measured = Number.isNaN(summarize(values).median) ? '-' : `${spread(values)} ${unit}`
  return [name, measured, limit ?? '', met === undefined ? '' : met ? 'met' : 'missed']
}

function sign(target: Target): string {
  if ('atLeast' in target) return '≥ '
  return target.atMost === 0 ? '' : '≤ '
}

function spread(values: number[]): string {
  const { median, min, max } = summarize(values)
  if (Number.isNaN(median)) return '-'
  return values.length === 1 ? number(median) : `${number(median)} (${number(min)} – ${number(max)})`
}

/** Three digits say enough. */
function number(value: number): string {
  if (value === 0 || Math.abs(value) >= 100) return Math.round(value).toLocaleString('en')
  return value.toPrecision(Math.abs(value) < 0.1 ? 2 : 3)
}

function aligned(table: string[][]): string[] {
  const widths = (table[0] ?? []).map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)))
  return table.map((row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ')
      .trimEnd(),
  )
}

function piped(table: string[][]): string[] {
  const [head, ...body] = table
  if (!head) return []
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`
  return [line(head), `|${head.map((_, i) => (i === 0 ? '---' : '---:')).join('|')}|`, ...body.map(line), '']
}
