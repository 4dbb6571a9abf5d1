/**
 * How a check turned out: `problem` is something that does not work or is not safe, `warning` what may become one, `note` what
 * only a person can look at.
 */
export type Level = 'ok' | 'note' | 'warning' | 'problem'

/** What one check has found, in a line, and how to mend it, in another. Neither holds anything secret. */
export interface Finding {
  /** What was looked at, in kebab-case. */
  check: string
  level: Level
  what: string
  mend?: string
}

/** Makes the findings of one check. */
export function findingsOf(check: string) {
  return {
    ok: (what: string): Finding => ({ check, level: 'ok', what }),
    note: (what: string): Finding => ({ check, level: 'note', what }),
    warning: (what: string, mend: string): Finding => ({ check, level: 'warning', what, mend }),
    problem: (what: string, mend: string): Finding => ({ check, level: 'problem', what, mend }),
  }
}

/** The findings as text: a line each, beneath it how to mend it, and at the end how many of which level there are. */
export function toText(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ check }) => check.length))
  const lines = findings.flatMap(({ check, level, what, mend }) => [
    `${level.padEnd(7)}  ${check.padEnd(width)}  ${what}`,
    ...(mend === undefined ? [] : [`${' '.repeat(width + 11)}→ ${mend}`]),
  ])
  const count = (level: Level) => findings.filter((finding) => finding.level === level).length
  const notes = count('note') > 0 ? `notes: ${count('note')}, ` : ''
  return [
    ...lines,
    '',
    `problems: ${count('problem')}, warnings: ${count('warning')}, ${notes}ok: ${count('ok')}`,
  ].join('\n')
}

/** Whether nothing has to be mended. */
export function isWell(findings: readonly Finding[]): boolean {
  return findings.every(({ level }) => level !== 'problem')
}
