import { ProblemError } from '../../http/problem.ts'
import type { Claims } from '../jwt.ts'
import type { Scope } from '../permissions.ts'
import type { Principal } from '../principal.ts'
import type { Roles } from '../roles.ts'
import type { AuthorityRow } from './authority.queries.ts'

/** The user, who exists and is not banned. @throws ProblemError `session-ended` or `banned` */
export function assertActive<Row extends AuthorityRow>(user: Row | undefined): Row {
  if (!user) throw new ProblemError('session-ended')
  if (user.banned) throw new ProblemError('banned')
  return user
}

type LiveRow = AuthorityRow & { session_id: string; session_created_at: Date; session_expires_at: Date }

/** The user, whose session goes on. @throws ProblemError `session-ended` */
export function assertLive(user: AuthorityRow): LiveRow {
  if (!hasSession(user) || user.session_expires_at.getTime() <= Date.now()) throw new ProblemError('session-ended')
  return user
}

function hasSession(user: AuthorityRow): user is LiveRow {
  return user.session_id !== null && user.session_created_at !== null && user.session_expires_at !== null
}

/** @throws ProblemError `session-ended` for a token without a session from before what ended such tokens */
export function assertIssuedAfter(claims: Claims, { valid_after }: AuthorityRow): void {
  if (isFromBefore(claims, valid_after)) throw new ProblemError('session-ended')
}

/** Whether a token is from before a change. `iat` counts whole seconds: one of the very second may be, and counts as it. */
export function isFromBefore({ iat }: Pick<Claims, 'iat'>, validAfter: Date | null): boolean {
  return validAfter !== null && iat <= seconds(validAfter)
}

/** Who it is that presents a session, or a token of the same rights. */
export function toPrincipal(user: AuthorityRow, roles: Roles): Principal {
  return {
    kind: 'user',
    subject: user.id,
    sessionId: user.session_id,
    clientId: null,
    // Whoever trusts a role must not take the admin who looks for the user.
    role: user.impersonated_by === null ? user.role : 'user',
    // Acting as somebody is for looking at their account: it gives no power over it, nor theirs over others.
    permissions: user.impersonated_by === null ? roles.scopesOf(user.role) : new Set<Scope>(['account:read']),
    impersonatedBy: user.impersonated_by,
  }
}

/** Whole seconds since the epoch, as in the claims of a token. */
export function seconds(date: Date): number {
  return Math.floor(date.getTime() / 1_000)
}
