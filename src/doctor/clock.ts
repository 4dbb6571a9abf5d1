import { type Finding, findingsOf } from './finding.ts'

// Tokens are accepted for five seconds before and after their time.
const mostApartMs = { ok: 1_000, warning: 5_000 }

/**
 * Judges how far a clock is from that of this process.
 * @param told what it showed, at the earliest and at the latest; all times in milliseconds since the epoch
 * @param between when it was read, by our clock
 */
export function clockFinding(
  check: string,
  whose: string,
  told: { from: number; to: number },
  between: { from: number; to: number },
): Finding {
  const { ok, warning, problem } = findingsOf(check)
  const apartMs = Math.max(0, told.from - between.to, between.from - told.to)
  if (apartMs <= mostApartMs.ok) return ok(`the clock of ${whose} shows the same time`)
  const what = `the clock of ${whose} is ${Math.round(apartMs / 1_000)} s ${told.from > between.to ? 'ahead' : 'behind'}`
  const mend = 'Set both by NTP: tokens, sessions and links are dated by them'
  return apartMs <= mostApartMs.warning ? warning(what, mend) : problem(what, mend)
}
