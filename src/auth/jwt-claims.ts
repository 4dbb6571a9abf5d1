import type { Claims } from './jwt.ts'

/** How far clocks may be apart. */
const clockToleranceSeconds = 5

/** Whether a token is of this issuer, and for this audience, maybe among others. @see RFC 7519 sections 4.1.1 and 4.1.3 */
export function isBetween({ iss, aud }: Claims, { issuer, audience }: { issuer: string; audience: string }): boolean {
  return iss === issuer && [aud].flat().includes(audience)
}

/** What is wrong with the time of a token, if it has ended or not begun. @see RFC 7519 sections 4.1.4 and 4.1.5 */
export function timeFault({ exp, nbf }: Claims, nowMs: number): 'invalid-token' | 'token-expired' | undefined {
  const now = seconds(nowMs)
  if (nbf !== undefined && nbf > now + clockToleranceSeconds) return 'invalid-token'
  return exp <= now - clockToleranceSeconds ? 'token-expired' : undefined
}

/** Whether a token was made by now: one from the future was made by a clock that is not ours. @see RFC 7519 section 4.1.6 */
export function isIssued({ iat }: Claims, nowMs: number): boolean {
  return iat <= seconds(nowMs) + clockToleranceSeconds
}

/** Whether a token was made to live for longer than that. */
export function isLongLived({ iat, exp }: Claims, maxLifeSeconds: number): boolean {
  return exp - iat > maxLifeSeconds
}

function seconds(ms: number): number {
  return Math.floor(ms / 1_000)
}
