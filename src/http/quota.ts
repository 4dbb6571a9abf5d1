import { ProblemError } from './problem.ts'

/** How much a client may make of something in a window that begins with the first. */
export interface Quota {
  name: string
  most: number
  windowSeconds: number
}

/** What a client has left of a quota. */
export interface Taken {
  quota: Quota
  isAllowed: boolean
  remaining: number
  /** When the window ends, in milliseconds from now. */
  endsInMs: number
}

// RFC 6177 gives a site a /48 to a /56: one attacker may own 65,536 blocks, and few people need more than this.
const blocksOfSite = 4

/** What the /48 of an IPv6 address may make of what each of its /64 may. @see RFC 6177 */
export function ofSite(quota: Quota): Quota {
  return { ...quota, name: `${quota.name}-48`, most: quota.most * blocksOfSite }
}

/** Of two quotas that both hold, what says more: the one that refuses, for longer, or has less left. */
export function tighter(one: Taken, other: Taken): Taken {
  if (one.isAllowed !== other.isAllowed) return one.isAllowed ? other : one
  if (!one.isAllowed) return other.endsInMs > one.endsInMs ? other : one
  return other.remaining < one.remaining ? other : one
}

/**
 * The fields that tell clients of a quota.
 * @see draft-ietf-httpapi-ratelimit-headers-10
 */
export function rateLimitFields({ quota, remaining, endsInMs }: Taken): Record<string, string> {
  return {
    'ratelimit-policy': `"${quota.name}";q=${quota.most};w=${quota.windowSeconds}`,
    ratelimit: `"${quota.name}";r=${remaining};t=${secondsOf(endsInMs)}`,
  }
}

/** What is thrown for a request beyond a quota. */
export function beyond(taken: Taken): ProblemError {
  const headers = { 'retry-after': String(secondsOf(taken.endsInMs)), ...rateLimitFields(taken) }
  return new ProblemError('rate-limited', undefined, { headers })
}

// Who comes back after so many whole seconds is never too early.
function secondsOf(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1_000))
}
