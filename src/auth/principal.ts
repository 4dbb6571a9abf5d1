import type { Db, Tx } from '../db/database.ts'
import { ProblemError } from '../http/problem.ts'
import type { UserRow } from '../resources/user.ts'
import type { VerifyAccessToken } from './access-token.ts'
import { type AuthorityRow, findAuthority, findAuthorityByToken, holdAuthority } from './authority.queries.ts'
import type { Claims } from './jwt.ts'
import { covers, type Scope } from './permissions.ts'
import type { Roles } from './roles.ts'
import type { SessionCookies } from './session-cookie.ts'

/** Who makes a request, as proven by its credential. */
export interface Principal {
  kind: 'user' | 'client'
  /** The id of the user, or of the client. */
  subject: string
  /** Null for a credential without a session. */
  sessionId: string | null
  clientId: string | null
  role: string | null
  permissions: ReadonlySet<Scope>
  /** The admin who acts as this user. */
  impersonatedBy: string | null
}

/** What the request presents to prove who makes it. */
export type Credential = { kind: 'bearer'; token: string } | { kind: 'cookie'; value: string }

/** A principal together with what its credential says of itself. */
export interface Authenticated {
  principal: Principal
  /** The user, as the database has them now. */
  user: UserRow
  claims: { iss: string | null; aud: string | null; iat: number; exp: number }
  /** Of a cookie: its session, when it is time to slide it. */
  slide: boolean
}

/**
 * Turns a credential into its principal, with the authority that the database has now.
 * @throws ProblemError with status 401
 */
export type Authenticate = (credential: Credential) => Promise<Authenticated>

interface AuthenticatorOptions {
  db: Db
  roles: Roles
  verifyAccessToken: VerifyAccessToken
  sessionCookies: SessionCookies
}

/** One query a request: the user with the session that the credential names. */
export function createAuthenticator({
  db,
  roles,
  verifyAccessToken,
  sessionCookies,
}: AuthenticatorOptions): Authenticate {
  async function authenticateToken(token: string): Promise<Authenticated> {
    const claims = await verifyAccessToken(token)
    const row = await findAuthority(db, claims.sub, claims.sid)
    const user = assertActive(row)
    if (claims.sid === undefined) assertIssuedAfter(claims, user)
    else assertLive(user)
    return {
      principal: toPrincipal(user, roles),
      user,
      claims: { iss: claims.iss, aud: String(claims.aud), iat: claims.iat, exp: claims.exp },
      slide: false,
    }
  }

  async function authenticateCookie(value: string): Promise<Authenticated> {
    const token = sessionCookies.open(value)
    if (token === undefined) throw new ProblemError('session-ended')
    const user = assertLive(assertActive(await findAuthorityByToken(db, token)))
    return {
      principal: toPrincipal(user, roles),
      user,
      claims: { iss: null, aud: null, iat: seconds(user.session_created_at), exp: seconds(user.session_expires_at) },
      slide: sessionCookies.isDue(user),
    }
  }

  return (credential) =>
    credential.kind === 'bearer' ? authenticateToken(credential.token) : authenticateCookie(credential.value)
}

/**
 * Asks again, within a transaction, whether a principal still has the authority it was let in with, and keeps it so
 * until the transaction ends: time may have passed, waiting for a lock or hashing a password.
 * @throws ProblemError with status 401, or `forbidden` when a permission is gone
 */
export async function assertStillAuthorized(
  trx: Tx,
  roles: Roles,
  { principal, claims }: Authenticated,
): Promise<void> {
  const user = assertActive(await holdAuthority(trx, principal.subject, principal.sessionId))
  if (principal.sessionId === null) assertIssuedAfter(claims, user)
  else assertLive(user)
  if (!covers(toPrincipal(user, roles).permissions, principal.permissions)) throw new ProblemError('forbidden')
}

function assertActive(user: AuthorityRow | undefined): AuthorityRow {
  if (!user) throw new ProblemError('session-ended')
  if (user.banned) throw new ProblemError('banned')
  return user
}

type LiveRow = AuthorityRow & { session_id: string; session_created_at: Date; session_expires_at: Date }

function assertLive(user: AuthorityRow): LiveRow {
  const { session_id, session_created_at, session_expires_at } = user
  if (!session_id || !session_created_at || !session_expires_at || session_expires_at.getTime() <= Date.now()) {
    throw new ProblemError('session-ended')
  }
  return { ...user, session_id, session_created_at, session_expires_at }
}

// `iat` counts whole seconds, so a token of the very second may be from before the change: it is dead.
function assertIssuedAfter({ iat }: Pick<Claims, 'iat'>, { valid_after }: AuthorityRow): void {
  if (valid_after && iat <= seconds(valid_after)) throw new ProblemError('session-ended')
}

function toPrincipal(user: AuthorityRow, roles: Roles): Principal {
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

function seconds(date: Date): number {
  return Math.floor(date.getTime() / 1_000)
}
